import sys
sys.path.insert(0,'/work/main')
from hypothesis import settings, HealthCheck
from hypothesis.stateful import run_state_machine_as_test
from tests.sync.test_sync_consent_simulation import Consents
def test_hunt():
    run_state_machine_as_test(Consents, settings=settings(max_examples=6000, deadline=None, stateful_step_count=40, suppress_health_check=list(HealthCheck), report_multiple_bugs=False))

"""The page of the demo that says what to try."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>What to try</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2430; background: #fff; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.1rem; margin-top: 1.8rem; }}
.sides {{ display: flex; gap: 1rem; flex-wrap: wrap; }}
.sides a {{ flex: 1 1 16rem; border: 1px solid #c4ccd6; border-radius: 8px; padding: .8rem 1rem;
  color: inherit; text-decoration: none; }}
.sides a:hover, .sides a:focus {{ border-color: #714b67; }}
.sides b {{ color: #714b67; }} code {{ background: #eef1f4; padding: .1rem .3rem; }}
li {{ margin: .4rem 0; }}
</style></head><body>
<h1>User.com Connector: what to try</h1>
<div class="sides">
<a href="{odoo}/odoo/contacts" target="_blank"><b>Odoo</b><br>Contacts, as the salesperson sees
them.<br>Login <code>admin</code>, password <code>admin</code></a>
<a href="{simulator}" target="_blank"><b>User.com</b><br>A stand-in on this machine: the same
contacts, as the marketer sees them.</a>
</div>
<p>Open both side by side. A running account joins them, and three contacts are in step: Ada
Lindqvist and Bruno Carvalho began in Odoo, Celina Nowak in User.com.</p>
<h2>From Odoo to User.com</h2>
<ol><li>Open Ada in Odoo, change her city and save: it is in User.com a moment later.</li>
<li>Create a contact with an e-mail in Odoo: it appears in User.com, once.</li></ol>
<h2>From User.com to Odoo</h2>
<ol><li>Change Celina's name in User.com: reload her in Odoo.</li>
<li>Create a contact with an e-mail in User.com: it appears among Odoo's contacts.</li></ol>
<h2>Consents</h2>
<ol><li>Set the e-mail consent of Bruno to withdrawn, on either side: it arrives on the
other.</li></ol>
<h2>What the administrator sees</h2>
<ol><li><a href="{odoo}/odoo/action-usercom_connector.usercom_account_action" target="_blank">The
account</a>: test its connection, pause it, change some contacts, start it again, and watch what
waited go out.</li></ol>
</body></html>
"""


class Page:
    """A web server for the one page, in a thread."""

    def __init__(self, port: int, odoo_url: str, simulator_url: str) -> None:
        content = PAGE.format(odoo=odoo_url, simulator=simulator_url).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path == "/" else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                if self.path == "/":
                    self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

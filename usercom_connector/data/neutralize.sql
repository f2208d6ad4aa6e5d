-- A copy for tests must not talk to the real User.com, nor be talked to by it.
UPDATE usercom_account
   SET state = CASE WHEN state = 'draft' THEN 'draft' ELSE 'paused' END,
       pause_code = 'neutralized',
       rest_key = NULL,
       webhook_secret = NULL;
-- Nor may visitors of its pages be told of there.
UPDATE usercom_account SET widget_on = false;

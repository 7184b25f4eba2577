import assert from "node:assert/strict";
import { stackEnv } from "../stack.ts";
import { assertRefused } from "../functions/api.ts";
import { connect } from "../functions/clients.ts";
import { askToInvite, createTeam, invite } from "../functions/manage-members/team.ts";
import { numbersOf } from "../functions/rows.ts";

const clients = connect(stackEnv());
const { sql } = clients;

/** Addresses that look like ada@example.com, or hide something behind it. */
const LOOK_ALIKES = {
  "a Cyrillic letter": "\u0430da@example.com",
  "full-width letters": "\uff41\uff44\uff41@example.com",
  "a Cyrillic domain": "ada@ex\u0430mple.com",
  "a zero-width space": "a\u200bda@example.com",
  "a text that turns round": "ada\u202e@example.com",
  "a combining accent": "a\u0301da@example.com",
  "a dotless i": "ad\u0131@example.com",
  "half a surrogate": "ada\ud800@example.com",
  "a second line": "ada@example.com\r\nBcc: eve@example.com",
  "a second line, encoded": "ada@example.com%0d%0aBcc:eve@example.com",
  "two addresses": "ada@example.com, eve@example.com",
  "a name": "Ada <ada@example.com>",
  "a comment": "ada(eve)@example.com",
  "quotes": '"ada\\" eve"@example.com',
  "an address literal": "ada@[127.0.0.1]",
} as const;

for (const [what, email] of Object.entries(LOOK_ALIKES)) {
  Deno.test(`an address with ${what} is not invited, and takes no seat`, async () => {
    const team = await createTeam(clients, 5);
    const answer = await askToInvite(clients, team, ["eve@example.com", email]);
    assertRefused(answer, 400, "invalid_request");
    assert.equal((await numbersOf(sql, team)).used, 1);
  });
}

Deno.test("who is invited again in capital letters is the same person", async () => {
  const team = await createTeam(clients, 5);
  const name = crypto.randomUUID();
  await invite(clients, team, [`ada.${name}@example.com`]);

  const { invitations } = await invite(clients, team, [` ADA.${name}@EXAMPLE.com `]);
  assert.deepEqual(invitations.map(({ outcome }) => outcome), ["already_invited"]);
  assert.equal((await numbersOf(sql, team)).used, 2);
});

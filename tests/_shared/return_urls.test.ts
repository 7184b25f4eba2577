import assert from "node:assert/strict";
import { returnUrls } from "../../supabase/functions/_shared/return_urls.ts";
import { ApiError } from "../../supabase/functions/_shared/errors.ts";

const settings = {
  SITE_URL: "https://app.example/somewhere",
  ALLOWED_RETURN_ORIGINS: ["https://admin.example", "http://localhost:5173"],
};

/** The code and the details of a refusal. */
function refusalOf(wanted: Parameters<typeof returnUrls>[1]) {
  try {
    returnUrls(settings, wanted);
  } catch (error) {
    assert(error instanceof ApiError);
    return { status: error.status, code: error.code, details: error.details };
  }
  assert.fail("It was not refused");
}

Deno.test("returnUrls() leads to the site when nothing is wished for", () => {
  assert.deepEqual(returnUrls(settings, {}), {
    successUrl: "https://app.example/billing?checkout=success&session_id={CHECKOUT_SESSION_ID}",
    cancelUrl: "https://app.example/billing?checkout=cancelled",
  });
});

Deno.test("returnUrls() takes addresses on the site and on each allowed origin as they are", () => {
  for (
    const address of [
      "https://app.example",
      "https://app.example/a/../b?c={CHECKOUT_SESSION_ID}#d",
      "https://admin.example/",
      "HTTPS://ADMIN.EXAMPLE:443/x",
      "http://localhost:5173/x",
    ]
  ) {
    assert.equal(returnUrls(settings, { successUrl: address }).successUrl, address);
    assert.equal(returnUrls(settings, { cancelUrl: address }).cancelUrl, address);
  }
});

Deno.test("returnUrls() refuses any other address and names the origins that it takes", () => {
  for (
    const address of [
      "https://app.example.evil.example/",
      "https://evil.example/?https://app.example",
      "https://app.example@evil.example/",
      "https://user@app.example/",
      "https://app.example:444/",
      "http://app.example/",
      "http://localhost/",
      "//app.example/",
      "/billing",
      "javascript:location='https://app.example'",
      "blob:https://app.example/1",
      "",
      " ",
    ]
  ) {
    for (const field of ["successUrl", "cancelUrl"]) {
      assert.deepEqual(refusalOf({ [field]: address }), {
        status: 400,
        code: "return_url_not_allowed",
        details: {
          field,
          allowedOrigins: [
            "https://app.example",
            "https://admin.example",
            "http://localhost:5173",
          ],
        },
      }, address);
    }
  }
});

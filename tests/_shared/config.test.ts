import assert from "node:assert/strict";
import { readConfig } from "../../supabase/functions/_shared/config.ts";

/** Reads settings while the environment has these values; undefined for one that is not set. */
function reading<Result>(
  environment: Readonly<Record<string, string | undefined>>,
  read: () => Result,
): Result {
  const before = Object.keys(environment).map((name) => [name, Deno.env.get(name)] as const);
  const put = ([name, value]: readonly [string, string | undefined]) =>
    value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  try {
    Object.entries(environment).forEach(put);
    return read();
  } finally {
    before.forEach(put);
  }
}

/** The message with which settings are refused. */
function refusalOf(
  environment: Readonly<Record<string, string | undefined>>,
  ...names: Parameters<typeof readConfig>
): string {
  try {
    reading(environment, () => readConfig(...names));
  } catch (error) {
    assert(error instanceof Error);
    return error.message;
  }
  assert.fail("It was not refused");
}

Deno.test("readConfig() reads lists, origins and addresses", () => {
  const config = reading({
    SITE_URL: "https://app.example/path",
    ALLOWED_RETURN_ORIGINS: " https://a.example/x , http://localhost:5173,",
    STRIPE_WEBHOOK_SECRET: "whsec_a, whsec_b ,,",
    CLERK_AUTHORIZED_PARTIES: "https://App.Example/",
    STRIPE_API_BASE: undefined,
  }, () =>
    readConfig(
      "SITE_URL",
      "ALLOWED_RETURN_ORIGINS",
      "STRIPE_WEBHOOK_SECRET",
      "CLERK_AUTHORIZED_PARTIES",
      "STRIPE_API_BASE",
    ));
  assert.deepEqual(config, {
    SITE_URL: "https://app.example/path",
    ALLOWED_RETURN_ORIGINS: ["https://a.example", "http://localhost:5173"],
    STRIPE_WEBHOOK_SECRET: ["whsec_a", "whsec_b"],
    CLERK_AUTHORIZED_PARTIES: ["https://app.example"],
    STRIPE_API_BASE: undefined,
  });
});

Deno.test("readConfig() gives optional lists that are not set as empty", () => {
  const config = reading(
    {
      ALLOWED_RETURN_ORIGINS: undefined,
      STRIPE_WEBHOOK_SECRET: undefined,
      CLERK_WEBHOOK_SIGNING_SECRET: undefined,
    },
    () =>
      readConfig("ALLOWED_RETURN_ORIGINS", "STRIPE_WEBHOOK_SECRET", "CLERK_WEBHOOK_SIGNING_SECRET"),
  );
  assert.deepEqual(config, {
    ALLOWED_RETURN_ORIGINS: [],
    STRIPE_WEBHOOK_SECRET: [],
    CLERK_WEBHOOK_SIGNING_SECRET: [],
  });
});

Deno.test("readConfig() takes a PEM whose line breaks were written as \\n", () => {
  const { CLERK_JWT_KEY } = reading(
    { CLERK_JWT_KEY: "-----BEGIN PUBLIC KEY-----\\nMIIB\\n-----END PUBLIC KEY-----" },
    () => readConfig("CLERK_JWT_KEY"),
  );
  assert.equal(CLERK_JWT_KEY, "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----");
});

Deno.test("readConfig() reads nothing but what it is asked for", () => {
  const config = reading(
    { SITE_URL: "https://app.example", STRIPE_SECRET_KEY: undefined },
    () => readConfig("SITE_URL"),
  );
  assert.deepEqual(Object.keys(config), ["SITE_URL"]);
});

Deno.test("readConfig() names every missing and malformed setting in one message", () => {
  const message = refusalOf(
    {
      SITE_URL: undefined,
      STRIPE_SECRET_KEY: "",
      CLERK_SECRET_KEY: undefined,
      CLERK_JWT_KEY: undefined,
      CLERK_AUTHORIZED_PARTIES: " , ",
      ALLOWED_RETURN_ORIGINS: "https://fine.example, nonsense",
      CLERK_API_URL: "https://api.example",
    },
    "SITE_URL",
    "STRIPE_SECRET_KEY",
    "CLERK_SECRET_KEY",
    "CLERK_JWT_KEY",
    "CLERK_AUTHORIZED_PARTIES",
    "ALLOWED_RETURN_ORIGINS",
    "CLERK_API_URL",
  );
  assert.equal(
    message,
    "Missing or malformed settings: SITE_URL, STRIPE_SECRET_KEY, CLERK_SECRET_KEY, " +
      "CLERK_JWT_KEY, CLERK_AUTHORIZED_PARTIES, ALLOWED_RETURN_ORIGINS",
  );
});

for (const value of ["hunter2", "ftp://hunter2.example", "javascript:hunter2", "//hunter2"]) {
  Deno.test(`readConfig() refuses “${value}” as an address without repeating it`, () => {
    for (
      const name of ["SITE_URL", "ALLOWED_RETURN_ORIGINS", "CLERK_AUTHORIZED_PARTIES"] as const
    ) {
      assert.equal(
        refusalOf({ [name]: value }, name),
        `Missing or malformed settings: ${name}`,
      );
    }
  });
}

Deno.test("readConfig() reads the project's keys by name, the first one as the default", () => {
  const keys = (text: string) =>
    reading(
      { SUPABASE_SECRET_KEYS: text },
      () => readConfig("SUPABASE_SECRET_KEYS").SUPABASE_SECRET_KEYS,
    );
  assert.deepEqual(keys('{"a":"one","default":"two"}'), { a: "one", default: "two" });
  assert.deepEqual(keys('{"a":"one","b":"two"}'), { a: "one", b: "two", default: "one" });
});

Deno.test("readConfig() refuses keys that are none, without giving them away", () => {
  for (
    const text of ["sb_secret_x", "{}", '["sb_secret_x"]', '{"default":""}', '{"default":7}', ""]
  ) {
    const refusal = refusalOf({ SUPABASE_SECRET_KEYS: text }, "SUPABASE_SECRET_KEYS");
    assert.equal(refusal, "Missing or malformed settings: SUPABASE_SECRET_KEYS", text);
  }
});

Deno.test("readConfig() takes the project's address with and without a slash at its end", () => {
  for (const SUPABASE_URL of ["https://ref.supabase.co", "https://ref.supabase.co/"]) {
    const config = reading({ SUPABASE_URL }, () => readConfig("SUPABASE_URL"));
    assert.deepEqual(config, { SUPABASE_URL: "https://ref.supabase.co" });
  }
});

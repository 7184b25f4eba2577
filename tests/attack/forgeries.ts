import fc from "fast-check";

/** A webhook as it goes over the wire. */
export interface Message {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How a provider signs, and how it names what it sends. */
export interface Signer {
  /** The headers of a body that is signed now with the right secret, unless told otherwise. */
  sign(body: string, signing: { secret?: string; secondsFromNow?: number }): Promise<Message>;
  /** The headers without which nothing is signed; the last one holds the signature. */
  readonly headers: readonly [...string[], string];
  /** Secrets in the provider's form that are not the right one. */
  readonly wrongSecrets: readonly string[];
}

/** How far from now a signature's time may be, in seconds, both ways. */
const TOLERANCE = 300;
/** A signature from the future gets younger while it travels. */
const TRAVEL = 30;

/** One way to make a forged message from an event that the attacker would like to be believed. */
export type Forgery = (signer: Signer, body: string) => Promise<Message>;

/** Changes one character of a text for another that looks as harmless. */
function tampered(text: string, at: number): string {
  const index = at % text.length;
  const other = text[index] === "7" ? "8" : "7";
  return text.slice(0, index) + other + text.slice(index + 1);
}

function withoutHeader({ body, headers }: Message, name: string): Message {
  return { body, headers: Object.fromEntries(Object.entries(headers).filter(([n]) => n !== name)) };
}

function withHeader({ body, headers }: Message, name: string, value: string): Message {
  return { body, headers: { ...headers, [name]: value } };
}

/** Every way to forge that we know, with random particulars. */
export const forgeries: fc.Arbitrary<Forgery> = fc.oneof(
  fc.nat().map((at): Forgery => async (signer, body) => ({
    ...await signer.sign(body, {}),
    body: tampered(body, at),
  })),
  fc.nat().map((at): Forgery => async (signer, body) => {
    const { headers } = await signer.sign(body, {});
    return { headers, body: body.slice(0, at % body.length) };
  }),
  fc.constantFrom("\n", " ", "\ufeff", "\0", "}").map((more): Forgery => async (signer, body) => ({
    ...await signer.sign(body, {}),
    body: body + more,
  })),
  fc.constantFrom(0, 1, 3, "\t").map((indent): Forgery => async (signer, body) => ({
    ...await signer.sign(body, {}),
    body: JSON.stringify(JSON.parse(body), null, indent),
  })),
  fc.nat().map((n): Forgery => (signer, body) =>
    signer.sign(body, { secret: signer.wrongSecrets[n % signer.wrongSecrets.length] ?? "" })
  ),
  fc.integer({ min: TOLERANCE + 1, max: 10 ** 9 }).map((age): Forgery => (signer, body) =>
    signer.sign(body, { secondsFromNow: -age })
  ),
  fc.integer({ min: TOLERANCE + TRAVEL, max: 10 ** 9 }).map((ahead): Forgery => (signer, body) =>
    signer.sign(body, { secondsFromNow: ahead })
  ),
  fc.nat().map((n): Forgery => async (signer, body) =>
    withoutHeader(
      await signer.sign(body, {}),
      signer.headers[n % signer.headers.length] ?? "",
    )
  ),
  fc.nat().map((n): Forgery => async (signer, body) => {
    const signed = await signer.sign(body, {});
    const name = signer.headers[n % signer.headers.length] ?? "";
    return withHeader(signed, name, `${signed.headers[name]}, ${signed.headers[name]}`);
  }),
  fc.nat().map((at): Forgery => async (signer, body) => {
    const signed = await signer.sign(body, {});
    const name = signer.headers.at(-1) ?? "";
    const value = signed.headers[name] ?? "";
    // Behind the scheme and its version, where the signature itself stands.
    const start = value.lastIndexOf("v1") + 3;
    // Base64 ends in padding, and in bits that say nothing.
    const end = value.length - 2;
    const changed = tampered(value.slice(start, end), at);
    return withHeader(signed, name, value.slice(0, start) + changed + value.slice(end));
  }),
  fc.string({ unit: "grapheme-ascii", maxLength: 200 }).map(
    (text): Forgery => async (signer, body) =>
      withHeader(await signer.sign(body, {}), signer.headers.at(-1) ?? "", text.trim()),
  ),
  fc.string({ minLength: 1, maxLength: 60 }).map((other): Forgery => async (signer, body) => ({
    ...await signer.sign(JSON.stringify({ other }), {}),
    body,
  })),
);

import { verify } from "hono/jwt";

/**
 * Which functions let the platform check the caller's token, from the text of `config.toml`. A
 * function that the file doesn't name has the check, as at hosted Supabase.
 */
export function readVerifyJwt(toml: string): (name: string) => boolean {
  const settings = new Map<string, boolean>();
  let section: string | null = null;
  for (const line of toml.split("\n")) {
    const header = line.match(/^\s*\[([^\]]+)\]/);
    if (header !== null) section = header[1]?.match(/^functions\.(.+)$/)?.[1] ?? null;
    const value = line.match(/^\s*verify_jwt\s*=\s*(true|false)/)?.[1];
    if (section !== null && value !== undefined) settings.set(section, value === "true");
  }
  return (name) => settings.get(name) ?? true;
}

/** Answers the platform's refusal of a caller without a token of this project, or null. */
export async function checkJwt(request: Request, jwtSecret: string): Promise<Response | null> {
  if (request.method === "OPTIONS") return null;
  const token = request.headers.get("authorization")?.match(/^Bearer\s+(\S+)$/i)?.[1];
  if (token === undefined) return refuse("Missing authorization header");
  const valid = await verify(token, jwtSecret, "HS256").then(() => true, () => false);
  return valid ? null : refuse("Invalid JWT");
}

function refuse(message: string): Response {
  return Response.json({ code: 401, message }, { status: 401 });
}

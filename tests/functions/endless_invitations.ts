import type { Clients } from "./clients.ts";

const JSON_HEADERS = { "content-type": "application/json" };

/**
 * Runs with a Clerk whose invitations name no end, as Clerk allows (Clerk: Backend API,
 * OrganizationInvitation, `expires_at` is nullable).
 *
 * @param run is given its address.
 */
export async function withEndlessInvitations(
  { env }: Clients,
  run: (url: string) => Promise<void>,
): Promise<void> {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      const body = await request.arrayBuffer();
      const response = await fetch(env.CLERK_API_URL + pathname + search, {
        method: request.method,
        headers: request.headers,
        body: body.byteLength === 0 ? null : body,
      });
      const answer = (await response.text()).replaceAll(/"expires_at":\d+/g, '"expires_at":null');
      return new Response(answer, { status: response.status, headers: JSON_HEADERS });
    },
  );
  try {
    await run(`http://127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

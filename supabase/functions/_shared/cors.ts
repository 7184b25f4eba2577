import { corsHeaders } from "@supabase/supabase-js/cors";
import type { Handler } from "./boundary.ts";

/**
 * Lets browsers of any origin call a function: answers their preflights, and puts Supabase's own CORS
 * headers on every other answer.
 *
 * @param further request headers that a browser may send beside those of Supabase's clients.
 */
export function withCors(handler: Handler, ...further: readonly string[]): Handler {
  const allowed = [corsHeaders["Access-Control-Allow-Headers"], ...further].join(", ");
  const headers = { ...corsHeaders, "Access-Control-Allow-Headers": allowed };
  return async (request) => {
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers });
    const answer = await handler(request);
    for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value);
    return answer;
  };
}

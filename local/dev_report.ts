import type { DevPeople } from "./dev_people.ts";
import type { StackEnv } from "./stack_env.ts";

/** Everything that a person needs for trying the stack, as shell variables. */
export function shellVariables(env: StackEnv, people: DevPeople): string {
  const variables = {
    ...env,
    ORGANIZATION_ID: people.organizationId,
    CLERK_ORGANIZATION_ID: people.clerkOrganizationId,
    ADMIN_TOKEN: people.adminToken,
    MEMBER_TOKEN: people.memberToken,
  };
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}='${value.trim().replaceAll("\n", "\\n")}'\n`).join("");
}

/** What `npm run dev` says once the stack is ready; `variables` is where it left them as a file. */
export function report(env: StackEnv, people: DevPeople, variables: string): string {
  return `
Seatkeeper is running. Ctrl-C stops it.

  Data API    ${env.SUPABASE_URL}/rest/v1
  Functions   ${env.SUPABASE_URL}/functions/v1
  Postgres    ${env.DATABASE_URL}
  Stripe      ${env.STRIPE_API_BASE}  (emulated)
  Clerk       ${env.CLERK_API_URL}  (emulated)

Keys, and tokens of Ada (admin of the organization Acme) and Max (a plain member):

${shellVariables(env, people)}
They are in a file too. To try things in another terminal:

  . '${variables}'
  curl "$SUPABASE_URL/rest/v1/organizations?select=name,seat_limit,seats_used" \\
    -H "apikey: $SUPABASE_PUBLISHABLE_KEY" -H "Authorization: Bearer $MEMBER_TOKEN"
  curl "$SUPABASE_URL/functions/v1/create-seat-checkout-session" \\
    -H "Authorization: Bearer $ADMIN_TOKEN" -H "Content-Type: application/json" \\
    -d '{"organizationId":"'$ORGANIZATION_ID'","plan":"pro","seats":5,"billingPeriod":"monthly"}'
`;
}

/**
 * Answers `preferred` if nothing listens on it at 127.0.0.1, otherwise a free port of the system's
 * choice. The port is free now; whoever takes it must be ready to find it taken.
 */
export function freePort(preferred = 0): number {
  try {
    return tryPort(preferred);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    return tryPort(0);
  }
}

function tryPort(port: number): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  const bound = listener.addr.port;
  listener.close();
  return bound;
}

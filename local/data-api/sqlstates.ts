/** What a failed statement says, as the Postgres driver reports it. */
export interface DatabaseError {
  code: string;
  message: string;
  detail?: string;
  hint?: string;
}

/** A database error on its way into an answer. */
export class AnsweredError implements DatabaseError {
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly report: () => void;

  /** Takes the error in the form that makes the answer, and what to do where it is reported. */
  constructor(error: DatabaseError, report: () => void) {
    this.code = error.code;
    this.message = error.message;
    if (error.detail !== undefined) this.detail = error.detail;
    if (error.hint !== undefined) this.hint = error.hint;
    this.report = report;
  }
}

/** SQLSTATEs that @supabase/lite turns into the status that PostgREST gives them. */
const KNOWN = /^(PT|21|22|42|23502$|23503$|23505$|25006$|PGRST$)/;

/** PostgREST's statuses for the others, the first match counts; what matches none is a 400. */
const STATUSES: [RegExp, number][] = [
  [/^P0001$/, 400],
  [/^(08|53)/, 503],
  [/^(0L|0P|28)/, 403],
  [/^(09|25|2D|38|39|3B|40|54|55|57|58|F0|HV|P0|XX)/, 500],
];

/** Whether something thrown is an error of the database. */
export function isDatabaseError(error: unknown): error is DatabaseError {
  return error instanceof Error && "code" in error && typeof error.code === "string" &&
    /^[0-9A-Z]{5}$/.test(error.code);
}

/**
 * Gives an error the status that PostgREST's documentation ("Errors", status codes) assigns to its
 * SQLSTATE, in the form in which @supabase/lite takes a status: PostgREST's `RAISE SQLSTATE
 * 'PGRST'`. By itself it answers 500 with the code SUP where it does not know the SQLSTATE.
 */
export function withStatus(error: DatabaseError): DatabaseError {
  if (KNOWN.test(error.code)) return error;
  return raised(error, STATUSES.find(([pattern]) => pattern.test(error.code))?.[1] ?? 400);
}

function raised({ code, message, detail, hint }: DatabaseError, status: number): DatabaseError {
  return {
    code: "PGRST",
    message: JSON.stringify({ code, message, details: detail ?? null, hint: hint ?? null }),
    detail: JSON.stringify({ status, headers: {} }),
  };
}

/** What PostgREST answers when it has lost its connection, or finds none (PostgREST: errors). */
export const LOST: DatabaseError = raised({
  code: "PGRST001",
  message: "Could not connect with the database due to an internal error",
}, 503);

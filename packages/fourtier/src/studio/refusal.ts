/** How the studio's server says no: a status, and the parts of an error. */

import { type Complaint, FourtierError } from "@fourtier/tensor"
import type { Context } from "hono"
import type { ContentfulStatusCode } from "hono/utils/http-status"
import type { z } from "zod"
import type { Failure } from "./api.ts"

/** An error that a request has brought upon itself, with its status. */
export class Refusal extends FourtierError {
  readonly status: ContentfulStatusCode

  constructor(status: ContentfulStatusCode, complaint: Complaint) {
    super(complaint)
    this.status = status
  }
}

/** The answer to a request that failed. What is no error of the user's is told to whoever runs the server, not to the page. */
export function failureOf(error: unknown, context: Context): Response {
  if (error instanceof FourtierError) {
    const { where = "studio", ...complaint } = error.complaint
    const failure: Failure = { where, ...complaint }
    return context.json(failure, error instanceof Refusal ? error.status : 422)
  }
  // who asked has gone in the middle of it
  if (error instanceof Error && "code" in error && error.code === "ECONNRESET") {
    return context.json({ where: "body", what: "the request was cut off" } satisfies Failure, 400)
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  const failure: Failure = { where: "studio", what: "an error of the program itself, see where the studio was started" }
  return context.json(failure, 500)
}

/**
 * What a JSON body holds.
 * @throws Refusal where it is not what the schema says
 */
export async function bodyOf<T>(context: Context, schema: z.ZodType<T>): Promise<T> {
  const type = context.req.header("content-type")?.split(";")[0].trim().toLowerCase()
  if (type !== "application/json") {
    throw new Refusal(415, {
      where: "content-type",
      what: "the body is of another kind",
      expected: "application/json",
      found: type ?? "none",
    })
  }
  const value = await context.req.json().catch((error: unknown) => {
    throw new Refusal(400, {
      where: "body",
      what: "not valid JSON",
      found: error instanceof Error ? error.message : "",
    })
  })
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new Refusal(400, {
    where: issue.path.length > 0 ? `body: ${issue.path.join(".")}` : "body",
    what: "not what is expected here",
    found: issue.message,
  })
}

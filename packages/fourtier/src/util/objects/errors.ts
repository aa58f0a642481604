/** What object storage says when it does not give something, in words. */

import { FourtierError, messageOf } from "@fourtier/tensor"
import { nameOfObject } from "./address.ts"

const CREDENTIALS =
  "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with a profile of ~/.aws/credentials"

const REFUSED = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"])

const CHANGED = { what: "the object has changed since it was looked at", fix: "start again" }

export const hasChanged = (where: string) => new FourtierError({ where, ...CHANGED })

/** An error of the client as one that says what to do. */
export function toldOf(error: unknown, where: string): FourtierError {
  const { what, expected, fix } = complaintOf(error, where)
  return new FourtierError({ where, what, expected, found: shownOf(error), fix }, { cause: error })
}

function complaintOf(error: unknown, where: string): { what: string; expected?: string; fix?: string } {
  const { name, status, code } = partsOf(error)
  const { bucket } = nameOfObject(where)
  if (name === "CredentialsProviderError" || /could not load credentials/i.test(messageOf(error))) {
    return { what: "no credentials for object storage", fix: CREDENTIALS }
  }
  if (/region is missing/i.test(messageOf(error))) {
    return { what: "no region", expected: "the region of the bucket", fix: "set AWS_REGION, such as eu-central-1" }
  }
  if (REFUSED.has(code)) {
    return {
      what: "object storage cannot be reached",
      expected: `an answer of ${endpoint()}`,
      fix: "correct AWS_ENDPOINT_URL_S3, or start the server",
    }
  }
  if (
    ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"].includes(
      name,
    )
  ) {
    return { what: "the credentials for object storage are not accepted", fix: CREDENTIALS }
  }
  if (name === "NoSuchBucket")
    return { what: `there is no bucket ${bucket}`, fix: `correct the address, or AWS_ENDPOINT_URL_S3` }
  if (name === "PermanentRedirect" || name === "AuthorizationHeaderMalformed" || status === 301) {
    return { what: `the bucket ${bucket} is in another region`, fix: "set AWS_REGION to the region of the bucket" }
  }
  if (status === 404) return { what: "there is no such object", fix: "correct the address" }
  if (status === 403 || name === "AccessDenied") {
    return {
      what: "no permission to read it",
      expected: "s3:GetObject and s3:ListBucket",
      fix: "ask for these permissions, or use other credentials",
    }
  }
  if (status === 412) return CHANGED
  return { what: "object storage does not give it" }
}

/** Whether an object is said not to be there. */
export function isAbsent(error: unknown): boolean {
  return (
    error instanceof FourtierError &&
    partsOf(error.cause).status === 404 &&
    partsOf(error.cause).name !== "NoSuchBucket"
  )
}

/** Whether one object is refused, as opposed to all of them. */
export function isRefused(error: unknown): boolean {
  return error instanceof FourtierError && partsOf(error.cause).status === 403
}

const endpoint = () => process.env.AWS_ENDPOINT_URL_S3 || process.env.AWS_ENDPOINT_URL || "Amazon's servers"

function shownOf(error: unknown): string {
  const { name, status } = partsOf(error)
  const message = messageOf(error).split("\n")[0]
  const shown = message === "" || message === "UnknownError" || message === name ? name : `${name}: ${message}`
  return status === null ? shown : `${shown} (HTTP ${status})`
}

function partsOf(error: unknown): { name: string; status: number | null; code: string } {
  if (!(error instanceof Error)) return { name: String(error), status: null, code: "" }
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  const inner = "errors" in error && Array.isArray(error.errors) ? error.errors[0] : undefined
  return {
    name: error.name,
    status: statusOf(error),
    code: code === "" && inner instanceof Error && "code" in inner ? String(inner.code) : code,
  }
}

function statusOf(error: Error): number | null {
  if (!("$metadata" in error)) return null
  const metadata = error.$metadata
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata)) return null
  return typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : null
}

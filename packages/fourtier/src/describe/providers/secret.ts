/** API keys come from the environment or a file, are held in memory only, and are removed from every message. */

import { readFileSync } from "node:fs"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { ProviderError } from "../provider.ts"

export interface KeySource {
  /** Name of an environment variable. */
  keyEnv?: string | undefined
  /** A file that holds the key and nothing else; takes precedence. */
  keyFile?: string | undefined
}

/** @returns the key, or null when none is set. @throws FourtierError when a key file cannot be read */
export function readKey(source: KeySource, environment: NodeJS.ProcessEnv = process.env): string | null {
  if (source.keyFile !== undefined) {
    try {
      return readFileSync(source.keyFile, "utf8").trim() || null
    } catch (error) {
      throw new FourtierError(
        { where: source.keyFile, what: "the API key cannot be read", found: messageOf(error) },
        { cause: error },
      )
    }
  }
  const value = source.keyEnv === undefined ? undefined : environment[source.keyEnv]
  return value?.trim() || null
}

/** The text with every occurrence of the secrets replaced. */
export function redact(text: string, ...secrets: readonly (string | null)[]): string {
  let plain = text
  for (const secret of secrets) if (secret !== null && secret.length >= 4) plain = plain.replaceAll(secret, "[key]")
  return plain
}

/** The same error, its message free of secrets. */
export function withoutSecrets(failure: ProviderError, ...secrets: readonly (string | null)[]): ProviderError {
  const message = redact(failure.message, ...secrets)
  if (message === failure.message) return failure
  const { verdict, retryAfter, fix, status } = failure
  const more = { ...(fix === undefined ? {} : { fix }), ...(status === undefined ? {} : { status }) }
  return new ProviderError(verdict, message, { retryAfter, ...more })
}

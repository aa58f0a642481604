/**
 * What every source of descriptions is to the rest of this folder. A provider turns one key-frame strip and one question
 * into a text; scheduling, retries, checks, cost and the cache are not its business.
 */

import type { Clip } from "../video/manifest.ts"
import type { Prompt } from "./prompts.ts"

/** For a setting that must be given: the complaint where it is missing says how to give it. */
export function needed(fix: string) {
  return { error: ({ input }: { input?: unknown }) => (input === undefined ? `missing: give ${fix}` : undefined) }
}

/** What is needed to know a clip again and to make its strip. */
export type DescribedClip = Pick<
  Clip,
  "id" | "path" | "relative" | "hash" | "label" | "split" | "start" | "end" | "frames" | "fps" | "width" | "height"
>

export interface Question {
  readonly clip: DescribedClip
  readonly system: string | null
  /** One prompt; or several, when they are asked in one request. */
  readonly prompts: readonly Prompt[]
  /** What the model is asked, in words. */
  readonly text: string
  /** The JSON schema that the answer should follow, when several prompts are asked at once. */
  readonly schema: Record<string, unknown> | null
  /** The key-frame strip as JPEG; made on the first call, the same for all prompts of a clip. */
  strip(): Promise<Uint8Array>
}

export interface Reply {
  readonly text: string
  /** Tokens billed, as the server counts them; null when it does not say. */
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  /** `length`: cut off at the token limit. `refused`: a content filter or the model said no. */
  readonly finish: "stop" | "length" | "refused"
  /** Set when the server's headers say that nothing is left until then (milliseconds from now). */
  readonly pause?: number
}

/** A JSON value that is part of an answer's identity. */
export type Setting = string | number | boolean | null | readonly Setting[] | { readonly [key: string]: Setting }

interface ProviderBase {
  readonly kind: string
  /** Part of every key. */
  readonly model: string
  /** Sampling settings and whatever else changes the answers; part of every key. No addresses, no secrets. */
  readonly settings: { readonly [key: string]: Setting }
  /** Where images go, for people to read; null when nothing leaves this process. */
  readonly destination: string | null
  close?(): Promise<void>
}

/** Answers while one waits. */
export interface LiveProvider extends ProviderBase {
  readonly mode: "live"
  /** Whether it looks at the strip at all (a replay does not). */
  readonly looks: boolean
  /** The most requests that it may be handed at once, and how many to begin with. */
  readonly concurrency: { readonly start: number; readonly most: number }
  /** @throws ProviderError */
  ask(question: Question, signal: AbortSignal): Promise<Reply>
}

/** Takes many questions at once and answers hours later. */
export interface BatchProvider extends ProviderBase {
  readonly mode: "batch"
  readonly limits: {
    readonly requests: number
    readonly bytes: number
    readonly open: number
    readonly pollSeconds: number
  }
  /** One line of the upload. */
  line(id: string, question: Question): Promise<string>
  upload(lines: string, name: string, signal: AbortSignal): Promise<string>
  create(fileId: string, tag: string, signal: AbortSignal): Promise<string>
  /** The batch that carries this tag, if the server knows one: found again after a crash between request and reply. */
  find(tag: string, signal: AbortSignal): Promise<string | null>
  poll(batchId: string, signal: AbortSignal): Promise<BatchState>
  results(fileId: string, signal: AbortSignal): Promise<BatchLine[]>
}

export interface BatchState {
  readonly state: "running" | "ended" | "failed"
  readonly detail: string
  readonly done: number
  readonly total: number
  /** Files with the answers and with the failed lines. */
  readonly files: readonly string[]
}

export interface BatchLine {
  readonly id: string
  /** The answer, or why there is none. */
  readonly outcome: Reply | ProviderError
}

export type Provider = LiveProvider | BatchProvider

/**
 * Why there is no answer, in the terms that decide what happens next.
 * - `stop`: no request of this run can succeed (bad key, no such model, no money): end at once.
 * - `throttled`: too fast; ask again later and slow down.
 * - `retry`: may heal by itself (5xx, network, timeout, garbled reply).
 * - `rejected`: this one request cannot succeed (image refused, too large).
 * - `absent`: the source has no answer for this clip (replay).
 */
export class ProviderError extends Error {
  override readonly name = "ProviderError"
  readonly verdict: "stop" | "throttled" | "retry" | "rejected" | "absent"
  /** Milliseconds to wait, when the server said so. */
  readonly retryAfter: number | null
  readonly fix: string | undefined

  constructor(
    verdict: ProviderError["verdict"],
    message: string,
    options: ErrorOptions & { retryAfter?: number | null; fix?: string } = {},
  ) {
    super(message, options)
    this.verdict = verdict
    this.retryAfter = options.retryAfter ?? null
    this.fix = options.fix
  }
}

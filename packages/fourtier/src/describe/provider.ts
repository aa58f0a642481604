/**
 * What the rest of this folder knows of a source of descriptions. A provider turns one strip of key frames and one
 * question into a text. Scheduling, retries, checks, cost and the cache are not its concern.
 */

import type { Clip } from "../video/manifest.ts"
import type { Prompt } from "./prompts.ts"

/** What it takes to recognise a clip again and to make its strip. */
export type DescribedClip = Pick<
  Clip,
  "id" | "path" | "relative" | "hash" | "label" | "split" | "start" | "end" | "frames" | "fps" | "width" | "height"
>

export interface Question {
  readonly clip: DescribedClip
  readonly system: string | null
  /** One prompt; several when they are put in one request. */
  readonly prompts: readonly Prompt[]
  /** The words that the model reads. */
  readonly text: string
  /** The JSON schema of the answer when several prompts are put at once. */
  readonly schema: Record<string, unknown> | null
  /** The clip's strip of key frames as JPEG. Made on the first call, and shared by all prompts of the clip. */
  strip(): Promise<Uint8Array>
}

export interface Reply {
  readonly text: string
  /** Tokens billed, as counted by the server; null when it does not say. */
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  /** `length`: cut off at the token limit. `refused`: by a content filter or by the model. */
  readonly finish: "stop" | "length" | "refused"
  /** Whether the server kept the model's reasoning apart from `text`. */
  readonly reasoned?: boolean
  /** Settings that the server refused and the question was put without, such as "temperature". */
  readonly adapted?: readonly string[]
  /** Milliseconds until the quota is full again, when the server's headers say that it is used up. */
  readonly pause?: number
}

/** A JSON value that is part of an answer's identity. */
export type Setting = string | number | boolean | null | readonly Setting[] | { readonly [key: string]: Setting }

interface ProviderBase {
  readonly kind: string
  /** Part of every answer's key. */
  readonly model: string
  /** Sampling settings and whatever else changes the answers; part of every key. No addresses, no secrets. */
  readonly settings: { readonly [key: string]: Setting }
  /** Where images are sent, for people to read; null when nothing leaves this process. */
  readonly destination: string | null
  /** Whether the server is on this machine: such a model costs nothing unless a price is known for it. */
  readonly local?: boolean
  /** What a person should know of its answers before they are used. */
  readonly doubt?: string | null
  close?(): Promise<void>
}

/** Answers each question while the caller waits. */
export interface LiveProvider extends ProviderBase {
  readonly mode: "live"
  /** Whether answers depend on the strip (recorded answers do not). */
  readonly usesStrip: boolean
  /** How many requests may be in progress at first, and at most. */
  readonly concurrency: { readonly initial: number; readonly max: number }
  /** @throws ProviderError */
  ask(question: Question, signal: AbortSignal): Promise<Reply>
}

/** Takes many questions at once and answers them hours later. */
export interface BatchProvider extends ProviderBase {
  readonly mode: "batch"
  readonly limits: {
    /** Questions in one batch. */
    readonly requests: number
    /** Bytes of one upload. */
    readonly bytes: number
    /** Batches in progress at once. */
    readonly open: number
    readonly pollSeconds: number
  }
  /** A question as one line of the upload. */
  line(id: string, question: Question): Promise<string>
  /** @returns the file's id */
  upload(lines: string, name: string, signal: AbortSignal): Promise<string>
  /** Starts a batch. @returns its id */
  create(fileId: string, tag: string, signal: AbortSignal): Promise<string>
  /** The id of the batch with this tag, if the server has one: for a crash between request and reply. */
  find(tag: string, signal: AbortSignal): Promise<string | null>
  poll(batchId: string, signal: AbortSignal): Promise<BatchProgress>
  results(fileId: string, signal: AbortSignal): Promise<BatchResult[]>
}

export interface BatchProgress {
  readonly state: "running" | "ended" | "failed"
  /** The server's own words. */
  readonly detail: string
  readonly done: number
  readonly total: number
  /** Ids of the files with the answers and the failed lines. */
  readonly files: readonly string[]
  /** Of a failed batch: why no other can succeed either, when the server says so (no credit). */
  readonly stop?: ProviderError | null
}

export interface BatchResult {
  /** Of the line that was uploaded. */
  readonly id: string
  /** The answer, or why there is none. */
  readonly outcome: Reply | ProviderError
}

export type Provider = LiveProvider | BatchProvider

/** Whether a provider's answers depend on the strip. */
export function usesStrip(provider: Provider): boolean {
  return provider.mode === "batch" || provider.usesStrip
}

/**
 * Why there is no answer, in the terms that decide what happens next.
 * - `stop`: no request of this run can succeed (wrong key, unknown model, no credit); the run ends at once.
 * - `throttled`: too many requests; asked again later, and more slowly.
 * - `retry`: may succeed another time (5xx, network, timeout, garbled reply).
 * - `adapted`: the server refused a setting, and the provider puts the question without it from now on; asked again at once.
 * - `rejected`: this one request cannot succeed (image refused, too large).
 * - `absent`: the source has no answer about this clip (recorded answers).
 *
 * @example
 * ```ts
 * import { ProviderError } from "fourtier/describe"
 *
 * throw new ProviderError("throttled", "429 Too Many Requests", { retryAfter: 2000 })
 * ```
 */
export class ProviderError extends Error {
  override readonly name = "ProviderError"
  readonly verdict: "stop" | "throttled" | "retry" | "adapted" | "rejected" | "absent"
  /** Milliseconds to wait, when the server gave a time. */
  readonly retryAfter: number | null
  /** What the user can do about it. */
  readonly fix: string | undefined
  /** HTTP status, where there was one. */
  readonly status: number | undefined

  constructor(
    verdict: ProviderError["verdict"],
    message: string,
    options: ErrorOptions & { retryAfter?: number | null; fix?: string; status?: number } = {},
  ) {
    super(message, options)
    this.verdict = verdict
    this.retryAfter = options.retryAfter ?? null
    this.fix = options.fix
    this.status = options.status
  }
}

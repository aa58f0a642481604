/**
 * One side of a comparison: an encoder in one precision and batch size, in a process of its own, so that its memory can be
 * told apart. It loads, then encodes when asked; clips reach it through a file.
 */

import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { workerUrl } from "@fourtier/core/node"
import { FourtierError, PROVIDERS } from "@fourtier/tensor"
import { z } from "zod"
import { encoderSchema } from "../catalog.ts"

/** What a side is started with. */
export const setupSchema = z.strictObject({
  encoder: encoderSchema,
  batch: z.int().positive(),
  provider: z.enum(["auto", ...PROVIDERS]),
  threads: z.int().positive().nullable(),
  /** The clips [n,T,H,W,3] f32 as `.npy`. */
  clips: z.string(),
})
export type Setup = z.infer<typeof setupSchema>

/** Encodes these clips, as many as the batch holds. */
export const requestSchema = z.strictObject({ clips: z.array(z.int().min(0)), keepMaps: z.boolean() })
export type EncodeRequest = z.infer<typeof requestSchema>

const loadedSchema = z.strictObject({
  /** The device really used. */
  provider: z.string(),
  /** Seconds to read or make the weights, build the graph and load it. */
  load: z.number(),
  /** Bytes of the graph with its weights as an ONNX file. */
  file: z.number(),
})
export type Loaded = z.infer<typeof loadedSchema>

const encodedSchema = z.strictObject({
  cost: z.strictObject({ clock: z.number(), processor: z.number() }),
  /** Bytes of memory: the most so far, and now. */
  memory: z.strictObject({ peak: z.number(), now: z.number() }),
  /** Maps of the clips, one after another, where they were asked for. */
  maps: z.instanceof(Float32Array).nullable(),
})
export type Encoded = z.infer<typeof encodedSchema>

/** Every answer of a side. */
export type Answer = { loaded: Loaded } | { encoded: Encoded } | { failed: string }

const answerSchema = z.union([
  z.strictObject({ loaded: loadedSchema }),
  z.strictObject({ encoded: encodedSchema }),
  z.strictObject({ failed: z.string() }),
])

export class Side {
  readonly batch: number
  readonly loaded: Loaded
  readonly #process: ChildProcess

  private constructor(batch: number, loaded: Loaded, child: ChildProcess) {
    this.batch = batch
    this.loaded = loaded
    this.#process = child
  }

  /** Starts a process and loads the encoder. @throws FourtierError with the process's own message */
  static async start(setup: Setup): Promise<Side> {
    const entry = fileURLToPath(workerUrl(import.meta.url, "./side.process.ts"))
    const child = fork(entry, [JSON.stringify(setup)], { serialization: "advanced" })
    try {
      const answer = await nextAnswer(child)
      if ("loaded" in answer) return new Side(setup.batch, answer.loaded, child)
      throw new Error("internal error: a process of the benchmark sent something else")
    } catch (error) {
      child.kill()
      throw error
    }
  }

  async encode(request: EncodeRequest): Promise<Encoded> {
    const answer = nextAnswer(this.#process)
    this.#process.send(request)
    const found = await answer
    if ("encoded" in found) return found.encoded
    throw new Error("internal error: a process of the benchmark sent something else")
  }

  /** Ends the process. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = new Promise((resolve) => this.#process.once("exit", resolve))
    this.#process.disconnect()
    await gone
  }
}

/** The next message of a process. @throws FourtierError with its complaint, or that it is gone */
async function nextAnswer(child: ChildProcess): Promise<Exclude<Answer, { failed: string }>> {
  const message = await new Promise<unknown>((resolve, reject) => {
    const onMessage = (value: unknown) => {
      child.off("exit", onExit)
      resolve(value)
    }
    const onExit = (code: number | null, signal: string | null) => {
      child.off("message", onMessage)
      reject(
        new FourtierError({
          where: "bench encoder",
          what: "the process that runs the encoder is gone",
          found: signal ?? `exit code ${code}`,
          fix: "if memory ran out: a smaller model, or fewer clips at once (--batches)",
        }),
      )
    }
    child.once("message", onMessage)
    child.once("exit", onExit)
  })
  const answer = answerSchema.parse(message)
  if ("failed" in answer) throw new FourtierError({ what: answer.failed })
  return answer
}

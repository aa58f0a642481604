/** Work of the studio in a process of its own: the server stays free, and native code that crashes takes nothing else down. */

import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { complaintSchema, workerUrl } from "@fourtier/core/node"
import { type Complaint, FourtierError } from "@fourtier/tensor"
import { z } from "zod"

/** What a child says of its work. */
const messageSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("task"), title: z.string(), total: z.number(), unit: z.string() }),
  z.object({ kind: z.literal("tick"), done: z.number(), detail: z.string() }),
  z.object({ kind: z.literal("end") }),
  z.object({ kind: z.literal("line"), text: z.string(), warning: z.boolean() }),
  z.object({ kind: z.literal("result"), value: z.unknown() }),
  z.object({ kind: z.literal("stopped") }),
  z.object({
    kind: z.literal("failed"),
    complaint: complaintSchema,
  }),
])
export type ChildMessage = z.infer<typeof messageSchema>

/** The same as what `job.child.ts` reads. */
export const STOP = "stop"

/** How a job ended: with its result, or stopped with all of it kept that was done. */
export type Ended<T> = { stopped: false; value: T } | { stopped: true }

export interface Running<T> {
  /** @throws FourtierError where the work failed, or its process died */
  readonly ended: Promise<Ended<T>>
  /** Ends it at the next safe place. */
  stop(): void
  /** Ends it wherever it is. */
  kill(): void
}

/** Milliseconds that a job may take to end at a safe place. */
const GRACE_MS = 20_000

/**
 * Starts a job, an object with `kind` (see `job.child.ts`).
 * @param tell is told of progress
 */
export function startJob<T>(job: object, schema: z.ZodType<T>, tell: (message: ChildMessage) => void): Running<T> {
  const child: ChildProcess = fork(fileURLToPath(workerUrl(import.meta.url, "./job.child.ts")), {
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  })
  // the last words of one that crashes
  let words = ""
  child.stderr?.on("data", (data) => {
    words = `${words}${String(data)}`.slice(-2000)
  })
  let timer: NodeJS.Timeout | undefined
  const ended = new Promise<Ended<T>>((resolve, reject) => {
    child.on("message", (raw) => {
      const message = messageSchema.parse(raw)
      if (message.kind === "result") {
        const value = schema.safeParse(message.value)
        if (value.success) resolve({ stopped: false, value: value.data })
        else reject(new Error(`internal error: ${z.prettifyError(value.error)}`))
      } else if (message.kind === "stopped") resolve({ stopped: true })
      else if (message.kind === "failed") reject(new FourtierError(message.complaint))
      else tell(message)
    })
    child.on("error", (error) => reject(error))
    child.on("exit", (code, signal) => {
      clearTimeout(timer)
      reject(new FourtierError(lost(code, signal, words)))
    })
  })
  // whoever waits for it hears of a failure: one that nobody waits for yet is none of the server's
  ended.catch(() => undefined)
  child.send({ job })
  return {
    ended,
    stop() {
      if (child.connected) child.send(STOP, () => undefined)
      timer ??= setTimeout(() => child.kill("SIGKILL"), GRACE_MS)
    },
    kill: () => void child.kill("SIGKILL"),
  }
}

function lost(code: number | null, signal: NodeJS.Signals | null, words: string): Complaint {
  const last = words.trim().split("\n").slice(-3).join(" ")
  return {
    where: "studio",
    what: "the process that did the work has ended before it was done",
    found: `${signal === null ? `exit code ${code}` : signal}${last === "" ? "" : `: ${last}`}`,
    fix: "start it again: what is done is kept; for lack of memory, fewer clips or a smaller encoder help",
  }
}

/** A process of its own for one job of the studio: measuring, describing, training. It ends with its job, and with the server. */

import type { Reporter } from "@fourtier/core"
import { endWorkerProcesses } from "@fourtier/core/node"
import { type Complaint, FourtierError, messageOf } from "@fourtier/tensor"
import { z } from "zod"
import { type ChildMessage, STOP } from "./child.ts"
import { jobSchema, ORPHAN_MS, runJob } from "./jobs.ts"

/** Between two messages about progress. */
const TICK_MS = 100

const controller = new AbortController()
const firstSchema = z.object({ job: jobSchema })

function send(message: ChildMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected && process.send) process.send(message, () => resolve())
    else resolve()
  })
}

const reporter: Reporter = {
  task(title, total, unit) {
    void send({ kind: "task", title, total, unit })
    let done = 0
    let last = 0
    return {
      tick(n = 1, detail = "") {
        done += n
        const now = performance.now()
        if (now - last < TICK_MS && done < total) return
        last = now
        void send({ kind: "tick", done, detail })
      },
      done: () => void send({ kind: "end" }),
    }
  },
  say: (text) => void send({ kind: "line", text, warning: false }),
  warn: (text) => void send({ kind: "line", text, warning: true }),
}

async function work(job: z.infer<typeof jobSchema>): Promise<void> {
  try {
    await send({ kind: "result", value: await runJob(job, reporter, controller.signal) })
  } catch (error) {
    if (controller.signal.aborted) await send({ kind: "stopped" })
    else await send({ kind: "failed", complaint: complaintOf(error) })
  }
  endWorkerProcesses()
  // threads that are inside native code are not stopped there
  process.kill(process.pid, "SIGKILL")
}

function complaintOf(error: unknown): Complaint {
  return error instanceof FourtierError ? error.complaint : { where: "studio", what: messageOf(error) }
}

// an interrupt from the terminal reaches all processes; the server ends this one
process.on("SIGINT", () => undefined)
process.on("disconnect", () => {
  controller.abort()
  setTimeout(() => process.kill(process.pid, "SIGKILL"), ORPHAN_MS)
})
process.on("message", (message) => {
  if (message === STOP) controller.abort()
  else void work(firstSchema.parse(message).job)
})

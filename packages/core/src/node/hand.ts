/** One worker, a thread or a child process: how a pool starts it, speaks to it and is told that it is gone. */

import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type TransferListItem, Worker } from "node:worker_threads"
import { messageOf } from "@fourtier/tensor"

/** A worker as its pool sees it. */
export interface Hand {
  /** Buffers in `transfer` move to a thread; a process gets copies. */
  send(message: unknown, transfer?: readonly TransferListItem[]): void
  /** Whether it keeps this process alive. */
  hold(alive: boolean): void
  terminate(): void
  /** Ends the job under way, where that is safe. */
  callOff(): void
  /** Resolves when the thread or process is gone. */
  gone: Promise<void>
}

export interface Events {
  message(message: unknown): void
  /** Also called after `terminate`. */
  lost(why: string): void
}

export function startThread(entry: URL, { message, lost }: Events): Hand {
  const worker = new Worker(entry, { execArgv: [] })
  worker.on("message", message)
  worker.on("error", (error) => lost(messageOf(error)))
  worker.on("exit", (code) => lost(`the worker thread ended with code ${code}`))
  return {
    send: (job, transfer = []) => worker.postMessage(job, transfer),
    hold: (alive) => (alive ? worker.ref() : worker.unref()),
    terminate: () => void worker.terminate(),
    callOff: () => undefined,
    gone: new Promise((resolve) => worker.once("exit", () => resolve())),
  }
}

const processes = new Set<ChildProcess>()

/**
 * Ends the worker processes of all pools at once, whatever they are at: for a program that is about to end itself by a signal, which
 * those that are inside native code would outlive.
 *
 * @example
 * ```ts
 * import { endWorkerProcesses } from "@fourtier/core/node"
 *
 * endWorkerProcesses()
 * process.kill(process.pid, "SIGTERM")
 * ```
 */
export function endWorkerProcesses(): void {
  for (const child of processes) child.kill("SIGKILL")
}

export function startProcess(entry: URL, { message, lost }: Events): Hand {
  const child: ChildProcess = fork(fileURLToPath(entry), {
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  })
  processes.add(child)
  child.on("message", message)
  child.on("error", (error) => lost(messageOf(error)))
  child.on("exit", (code, signal) => {
    processes.delete(child)
    lost(`the worker process ${signal === null ? `ended with code ${code}` : `crashed (${signal})`}`)
  })
  return {
    send: (job) => void (child.connected && child.send({ job }, () => undefined)),
    hold: (alive) => {
      if (alive) child.ref()
      else child.unref()
      if (alive) child.channel?.ref()
      else child.channel?.unref()
    },
    terminate: () => void child.kill("SIGKILL"),
    callOff: () => void child.kill("SIGKILL"),
    gone: new Promise((resolve) => child.once("exit", () => resolve())),
  }
}

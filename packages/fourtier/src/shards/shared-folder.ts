/**
 * A folder that several machines share, used so that what is decided by its files holds on NFS too.
 *
 * - What must happen once is decided by `link`, which makes a name or fails. NFS may lose the reply and report a failure of a call that
 *   succeeded: whether the file has got a second name tells (link(2), open(2) on O_EXCL). Nothing rests on `flock` or O_EXCL.
 * - Files are written under another name and renamed: whole or absent.
 * - A file has one writer; appending to one from several machines would overwrite lines.
 * - Calls that fail for the moment (a server that is away, a handle that has gone stale) are made again.
 * - Clocks of machines differ: no time of a file is ever compared with this machine's clock.
 */

import { randomBytes } from "node:crypto"
import { type FileHandle, link, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { notWritten } from "@fourtier/tensor/node"
import { pause } from "../util/back-off.ts"

/** The calls to the file system that everything here is made of. */
export interface FileCalls {
  read(path: string): Promise<string>
  /** Writes a new file. @param lasting flushes it to the disk; a network file system has it when it is closed in any case */
  writeNew(path: string, text: string, lasting: boolean): Promise<void>
  link(from: string, to: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Number of names of a file, as the server knows it. */
  names(path: string): Promise<number>
  remove(path: string): Promise<void>
  list(path: string): Promise<string[]>
  /** When a file was written, by the clock of whatever keeps it: milliseconds. */
  written(path: string): Promise<number>
  makeFolder(path: string): Promise<void>
}

async function using<T>(opened: Promise<FileHandle>, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await opened
  try {
    return await work(file)
  } finally {
    await file.close()
  }
}

/** The calls as the operating system has them. Opening a file asks an NFS server for what is new; `stat` by path may not. */
export const SYSTEM_CALLS: FileCalls = {
  read: (path) => readFile(path, "utf8"),
  writeNew: (path, text, lasting) =>
    using(open(path, "wx"), async (file) => {
      await file.writeFile(text)
      if (lasting) await file.sync()
    }),
  link,
  rename,
  names: (path) => using(open(path, "r"), async (file) => (await file.stat()).nlink),
  remove: (path) => rm(path, { force: true }),
  list: (path) => readdir(path),
  written: (path) => using(open(path, "r"), async (file) => (await file.stat()).mtimeMs),
  makeFolder: async (path) => void (await mkdir(path, { recursive: true })),
}

/** What a server that is away for a moment, or a file that was replaced while it was opened, gives. */
const PASSING = new Set(["ESTALE", "EIO", "EAGAIN", "EBUSY", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENOTCONN"])

export interface SharedOptions {
  calls?: FileCalls
  /** Attempts after the first where a call fails for the moment; waits double from `wait` milliseconds, up to 5 s. */
  retries?: number
  wait?: number
}

const codeOf = (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : "")

/** Files of a folder, by name. */
export class SharedFolder {
  readonly path: string
  readonly #options: Required<SharedOptions>

  constructor(path: string, { calls = SYSTEM_CALLS, retries = 10, wait = 50 }: SharedOptions = {}) {
    this.path = path
    this.#options = { calls, retries, wait }
  }

  /** A folder within this one. */
  within(name: string): SharedFolder {
    return new SharedFolder(join(this.path, name), this.#options)
  }

  async make(): Promise<this> {
    await this.#written(this.path, () => this.#patiently(({ makeFolder }) => makeFolder(this.path)))
    return this
  }

  /**
   * Makes a file of this name, unless there is one: of all that try, on whichever machine, one succeeds.
   * @param lasting whether its text has to survive a power cut
   * @returns whether it was this call
   */
  async claim(name: string, text: string, lasting = false): Promise<boolean> {
    const [target, own] = [join(this.path, name), this.#temporary(name)]
    return this.#written(target, async () => {
      await this.#patiently(async (calls) => {
        await calls.remove(own)
        await calls.writeNew(own, text, lasting)
      })
      try {
        return await this.#patiently(async (calls) => {
          try {
            await calls.link(own, target)
            return true
          } catch (error) {
            if ((await calls.names(own)) > 1) return true
            if (codeOf(error) === "EEXIST") return false
            throw error
          }
        })
      } finally {
        await this.#options.calls.remove(own).catch(() => undefined)
      }
    })
  }

  /** Writes a file, whole, in place of the one of this name. One machine writes a name. */
  async publish(name: string, text: string): Promise<void> {
    const [target, own] = [join(this.path, name), this.#temporary(name)]
    await this.#written(target, () =>
      this.#patiently(async (calls) => {
        try {
          await calls.remove(own)
          await calls.writeNew(own, text, false)
          await calls.rename(own, target)
        } catch (error) {
          await calls.remove(own).catch(() => undefined)
          throw error
        }
      }),
    )
  }

  /** A file's text; null where there is none. */
  async read(name: string): Promise<string | null> {
    try {
      return await this.#patiently(({ read }) => read(join(this.path, name)))
    } catch (error) {
      if (codeOf(error) === "ENOENT") return null
      throw error
    }
  }

  /** Names of the files that are whole; empty where there is no such folder. */
  async list(): Promise<string[]> {
    try {
      return (await this.#patiently(({ list }) => list(this.path))).filter((name) => !name.startsWith("."))
    } catch (error) {
      if (codeOf(error) === "ENOENT") return []
      throw error
    }
  }

  /**
   * Milliseconds since a file was written, both times by the clock of the folder's server: of use to people. Null where it cannot be told.
   */
  async ages(names: readonly string[]): Promise<(number | null)[]> {
    const { calls } = this.#options
    const probe = this.#temporary("now")
    try {
      await calls.writeNew(probe, "", false)
      const now = await calls.written(probe)
      const age = (name: string) => calls.written(join(this.path, name)).then((then) => Math.max(0, now - then))
      return await Promise.all(names.map((name) => age(name).catch(() => null)))
    } catch {
      return names.map(() => null)
    } finally {
      await calls.remove(probe).catch(() => undefined)
    }
  }

  async remove(name: string): Promise<void> {
    await this.#patiently(({ remove }) => remove(join(this.path, name)))
  }

  #temporary(name: string): string {
    return join(this.path, dirname(name), `.${randomBytes(8).toString("hex")}`)
  }

  async #patiently<T>(work: (calls: FileCalls) => Promise<T>): Promise<T> {
    const { calls, retries, wait } = this.#options
    for (let attempt = 0; ; attempt++) {
      try {
        return await work(calls)
      } catch (error) {
        if (attempt >= retries || !PASSING.has(codeOf(error))) throw error
        await pause(Math.min(5000, wait * 2 ** attempt))
      }
    }
  }

  async #written<T>(path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw notWritten(path, error)
    }
  }
}

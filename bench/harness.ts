/**
 * What the measurements here share: sides that take turns, so that a busy machine slows all of them; medians; the table that is
 * printed line by line and written to bench/*.csv; a partner in another language that is asked by lines of JSON.
 *
 * Node 20 runs TypeScript only when compiled, so first
 *
 *     npm run bench
 *
 * then, from the project's root, `node .fourtier/bench/<name>.js` with the arguments that its header names.
 */

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { resolve } from "node:path"
import { createInterface } from "node:readline"
import { csvLine } from "@fourtier/core"
import type { z } from "zod"
import { parseCsv } from "../packages/fourtier/src/util/csv.ts"
import { type Cost, median, medianCost, peakMemory, timed } from "../packages/fourtier/src/util/timing.ts"

export { type Cost, median, medianCost, peakMemory, timed }

/** The folder with the scripts in other languages and the published tables. */
export const BENCH = resolve("bench")

/** Ends the program with a message. */
export function stop(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}

/**
 * The version of a Python package. Ends the program where the package is missing.
 * @param python the interpreter
 * @param install how to get the package
 */
export function pythonVersion(python: string, module: string, install: string): string {
  const code = `import ${module}; print(${module}.__version__)`
  const { status, stdout, error } = spawnSync(python, ["-c", code], { encoding: "utf8" })
  if (status === 0) return stdout.trim()
  const missing = error ? `there is no ${python}` : `${python} has no module ${module}`
  return stop(
    `This measurement needs Python's ${module}: ${missing}. Install it (${install}), or name another interpreter.`,
  )
}

/** One measurement of a side. */
export type Measure<T> = (round: number) => Promise<T>

/**
 * Runs the sides in turn, `rounds` times each after `warmup` rounds that are not kept.
 * @returns what each side measured, in the sides' order
 */
export async function takeTurns<T>(sides: readonly Measure<T>[], rounds: number, warmup = 1): Promise<T[][]> {
  const results: T[][] = sides.map(() => [])
  for (let round = -warmup; round < rounds; round++) {
    for (const [i, side] of sides.entries()) {
      const result = await side(round)
      if (round >= 0) results[i].push(result)
    }
  }
  return results
}

/** Quotients round by round: what a busy machine changes least. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((value, i) => value / theirs[i])
}

const rowsOf = (text: string, path: string) => parseCsv(text, path).map(({ fields }) => fields)

/** A table of bench/: every row is printed when it is known. */
export class Table {
  readonly #path: string
  readonly #columns: readonly string[]
  readonly #lines: string[]
  /** Rows that the file had, and how many columns tell rows apart. */
  #earlier: { rows: readonly string[][]; keys: number } = { rows: [], keys: 0 }

  /** @param path file to write; `comment`: a first line about the machine */
  constructor(path: string, columns: readonly string[], comment: string | null = null) {
    this.#path = path
    this.#columns = columns
    this.#lines = [...(comment === null ? [] : [`# ${comment}\n`]), csvLine(columns)]
    process.stdout.write(this.#lines.join(""))
  }

  /**
   * A table whose rows are renewed: those of the file that are not measured again stay.
   * @param keys the first so many columns tell rows apart
   */
  static async renewed(path: string, columns: readonly string[], keys: number): Promise<Table> {
    const rows = existsSync(path) ? rowsOf(await readFile(path, "utf8"), path) : [[...columns]]
    if (csvLine(rows[0]) !== csvLine(columns)) stop(`${path} has other columns: ${rows[0].join(", ")}`)
    const table = new Table(path, columns)
    table.#earlier = { rows: rows.slice(1), keys }
    return table
  }

  /** Fields in the columns' order; null is an empty one. */
  add(fields: readonly (string | number | null)[]): void {
    if (fields.length !== this.#columns.length) {
      throw new Error(`${this.#path}: ${fields.length} fields for ${this.#columns.length} columns`)
    }
    const line = csvLine(fields)
    this.#lines.push(line)
    process.stdout.write(line)
  }

  async write(): Promise<void> {
    const { rows, keys } = this.#earlier
    if (rows.length === 0) return writeFile(this.#path, this.#lines.join(""))
    const keyOf = (fields: readonly string[]) => csvLine(fields.slice(0, keys))
    const [header, ...own] = rowsOf(this.#lines.join(""), this.#path)
    const all = new Map([...rows, ...own].map((fields) => [keyOf(fields), fields]))
    await writeFile(this.#path, [header, ...all.values()].map(csvLine).join(""))
  }
}

/** A child process that answers each line of JSON with one. What it prints on standard error is shown. */
export class Partner {
  readonly #command: string
  readonly #child: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>

  constructor(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = process.env) {
    this.#command = command
    this.#child = spawn(command, args, { env: environment })
    this.#child.stderr.pipe(process.stderr)
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** Sends a line that has no answer. */
  tell(message: unknown): void {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`)
  }

  /** @throws Error when the process ends instead of answering */
  async ask<T>(message: unknown, schema: z.ZodType<T>): Promise<T> {
    this.tell(message)
    const answer = await this.#answers.next()
    if (answer.done === true) throw new Error(`${this.#command} ended, see above`)
    return schema.parse(JSON.parse(answer.value))
  }

  end(): void {
    this.#child.stdin.end()
  }
}

/** The other end of a `Partner`: answers every line of JSON on standard input. The first line is the setup. */
export async function answerLines<S>(
  setup: z.ZodType<S>,
  start: (setup: S) => Promise<(message: unknown) => Promise<unknown>>,
): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  const first = await lines.next()
  const answer = await start(setup.parse(JSON.parse(String(first.value))))
  for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line.value)))}\n`)
  }
}

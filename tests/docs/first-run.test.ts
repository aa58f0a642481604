/**
 * Protects readers who copy from the pages: each command of README and docs/ is one that the program takes, and what
 * `docs/first-run.md` shows is what the program says.
 */

import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Command } from "commander"
import { describe, expect, test } from "vitest"
import { throwErrors, withSeparateSettings } from "../../packages/fourtier/src/cli/errors.ts"
import { createProgram } from "../../packages/fourtier/src/cli/program.ts"

const root = join(import.meta.dirname, "../..")
const docs = join(root, "docs")
const read = (page: string) => readFileSync(join(root, page), "utf8")
const pages = [
  "README.md",
  ...readdirSync(docs)
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
]

/** Blocks of code, as lines; lines that a backslash continues are one. */
function blocks(page: string): string[][] {
  return [...read(page).matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, code]) =>
    code.replaceAll(/\\\n\s*/g, "").split("\n"),
  )
}

/** Commands in the blocks of a page: what a reader copies. A second column begins after two spaces, a remark with " #". */
function commands(page: string): string[] {
  return blocks(page)
    .flat()
    .flatMap((line) => /(?:^|\s{2}|\$ |&& )(?:npx )?(fourtier [a-z].*)$/.exec(line)?.[1] ?? [])
    .map((command) => command.split(/ {2,}| #/)[0].trim())
}

/** Words as a shell takes them. */
function words(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, plain]) => single ?? double ?? plain,
  )
}

function withoutActions(command: Command): Command {
  command.action(() => {})
  for (const below of command.commands) withoutActions(below)
  return command
}

describe("commands of the pages", () => {
  const all = pages.flatMap((page) => commands(page).map((command) => ({ page, command })))

  test("are found", () => {
    expect(all.length).toBeGreaterThan(60)
    expect(all.filter(({ page }) => page === "docs/first-run.md")).toHaveLength(12)
  })

  test.each(all)("$page: $command", async ({ command }) => {
    const program = withoutActions(createProgram())
    throwErrors(program)
    await program.parseAsync(withSeparateSettings(words(command).slice(1)), { from: "user" })
  })
})

describe("docs/first-run.md", () => {
  const shown = blocks("docs/first-run.md").filter(([first]) => first.startsWith("$ npx fourtier"))

  test("fits 80 columns", () => {
    expect(shown.flat().length).toBeGreaterThan(100)
    expect(shown.flat().filter((line) => line.length > 80)).toEqual([])
  })

  test("says what the program says: most pairs of words in a line stand in the sources side by side", () => {
    const sources = ["packages/fourtier/src", "packages/core/src"]
      .flatMap((folder) =>
        readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
      )
      .filter((file) => file.endsWith(".ts"))
      .map(read)
      .join("\n")
    const answersAndTables = /^\$ npx fourtier (?:describe show|predict)/
    const lines = shown.filter(([first]) => !answersAndTables.test(first)).flatMap((block) => block.slice(1))
    const unknown = lines.filter((line) => {
      if (line.startsWith("✓")) return !/^✓ .+: \d+ [a-z ]+ in \d+(?:\.\d)? (?:s|ms|min)\b/.test(line)
      const pairs = [...line.matchAll(/(?=\b([a-z]+,? [a-z]+)\b)/g)].map(([, pair]) => pair)
      return pairs.filter((pair) => sources.includes(pair)).length < pairs.length / 2
    })
    expect(unknown).toEqual([])
  })
})

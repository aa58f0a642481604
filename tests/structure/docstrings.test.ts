/**
 * Protects the API reference: whatever function or class a package exports has a docstring with an example, and the examples
 * are code that compiles.
 */

import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { built } from "../cli/command.ts"
import { ROOT } from "./biome.ts"
import { docstringOf, ENTRIES, exampleIn } from "./docstrings.ts"

async function functionsOf(entry: string): Promise<string[]> {
  const module: Record<string, unknown> = await import(/* @vite-ignore */ entry)
  return Object.keys(module).filter((name) => typeof module[name] === "function")
}

describe("docstrings", () => {
  it.each([...ENTRIES])("every function and class of %s has one, with an example", async (entry, file) => {
    const missing: string[] = []
    for (const name of await functionsOf(entry)) {
      const found = docstringOf(file, name)
      if (found?.text == null) missing.push(`${found?.file ?? file}: ${name} has no docstring`)
      else if (exampleIn(found.text) === null) missing.push(`${found.file}: ${name} has no example`)
    }
    expect(missing).toEqual([])
  })

  it.skipIf(!built)("their examples compile, with the types that are published", async () => {
    const settings = {
      extends: "../../tsconfig.base.json",
      compilerOptions: {
        noEmit: true,
        noUnusedLocals: false,
        composite: false,
      },
      include: ["*.ts"],
    }
    mkdirSync(join(ROOT, ".fourtier"), { recursive: true })
    const folder = mkdtempSync(join(ROOT, ".fourtier/examples-"))
    try {
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(settings))
      for (const [entry, file] of ENTRIES) {
        for (const name of await functionsOf(entry)) {
          const code = exampleIn(docstringOf(file, name)?.text ?? "")
          if (code !== null)
            writeFileSync(join(folder, `${entry.replaceAll("/", ".")}.${name}.ts`), `${code}export {}\n`)
        }
      }
      const { stdout, status } = spawnSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", folder, "--pretty", "false"], {
        cwd: folder,
        encoding: "utf8",
      })
      expect(stdout).toBe("")
      expect(status).toBe(0)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

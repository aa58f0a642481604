/** Protects users' privacy: ONNX Runtime keeps, and so sends, no record of what runs. */

import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"

const entry = new URL("../dist/index.js", import.meta.url)
const folder = mkdtempSync(join(tmpdir(), "fourtier-telemetry-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it.skipIf(!existsSync(entry))("a process that runs a session leaves no telemetry log", () => {
  const code = `
    import { add, constant, evaluate } from ${JSON.stringify(entry.href)}
    const one = constant(Float32Array.of(1), [1])
    const { sum } = await evaluate({ outputs: { sum: add(one, one) } })
    console.log(sum[0])`
  const { ORT_DISABLE_TELEMETRY: _, ...rest } = process.env
  const env = { ...rest, TMPDIR: folder, TEMP: folder, TMP: folder }
  const printed = execFileSync(process.execPath, ["--input-type=module", "-e", code], { env, encoding: "utf8" })
  expect(printed.trim()).toBe("2")
  expect(readdirSync(folder)).toEqual([])
})

/** Protects: where a table says that a side makes the class, a run does not mirror, in no stage and no preset, and says so. */

import { silent } from "@fourtier/core"
import { expect, test } from "vitest"
import { loadConfig } from "../../src/config.ts"
import { PRESETS } from "../../src/presets.ts"
import { contextFor } from "../../src/stages/index.ts"
import { checkMirroring } from "../../src/video/mirroring.ts"

test.each(Object.keys(PRESETS))("preset %s", async (preset) => {
  const { value: config } = await loadConfig({ preset })
  const said: string[] = []
  const context = { config, reporter: { ...silent, say: (line: string) => void said.push(line) } }
  const labels = ["pushing from left to right"]
  expect(checkMirroring(labels, config.views)).toHaveLength(1)
  const own = contextFor([{ columns: { sides: "yes" } }], context)
  expect(checkMirroring(labels, own.config.views)).toEqual([])
  expect(said.join()).toMatch(/not mirrored/)
  expect(contextFor([{ columns: {} }], context)).toBe(context)
})

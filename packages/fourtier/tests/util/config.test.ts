/** Protects the configuration itself: its presets are valid, and the names that settings had are refused with the new one. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { configSchema, loadConfig, PRESETS, RENAMED } from "../../src/config.ts"
import { listSettings } from "../../src/util/schema.ts"

const folder = mkdtempSync(join(tmpdir(), "config-"))
afterAll(() => rmSync(folder, { recursive: true }))

const paths = listSettings(configSchema).map(({ path }) => path)

it.each(Object.keys(PRESETS))("preset %s is valid", async (preset) => {
  expect((await loadConfig({ preset })).preset).toBe(preset)
})

it("every setting says what it is", () => {
  // what stands for any element of a list or group is described by the list or group
  const own = listSettings(configSchema).filter(({ path }) => !/(\[\]|\.\*)$/.test(path))
  const undescribed = own.flatMap(({ path, description }) => (description ? [] : [path]))
  expect(undescribed).toEqual([])
})

describe("renamed settings", () => {
  it.each([
    ["align.leastUpdates", "align.minUpdates"],
    ["finetune.leastUpdates", "finetune.minUpdates"],
    ["linearProbe.leastUpdates", "linearProbe.minUpdates"],
    ["rowProbe.leastUpdates", "rowProbe.minUpdates"],
    ["attentiveProbe.leastUpdates", "attentiveProbe.minUpdates"],
    ["pseudoLabels.leastRight", "pseudoLabels.errorRate"],
    ["pseudoLabels.minAccuracy", "pseudoLabels.errorRate"],
    ["model.readout", "model.classifierPooling"],
    ["model.vote", "model.prototypeWeight"],
  ])("%s is refused and %s named, in a file and in --set", async (old, renamed) => {
    const message = (source: string) =>
      `${old} (${source}): this setting has a new name\n  fix:      write ${renamed} instead`
    await expect(loadConfig({ set: [`${old}=1`] })).rejects.toThrow(message("--set"))
    const [group, key] = old.split(".")
    const file = join(folder, `${old}.yaml`)
    writeFileSync(file, `${group}: {${key}: 1}\n`)
    await expect(loadConfig({ file })).rejects.toThrow(message(file))
  })

  it("every old name is gone and every new one is there", () => {
    expect(paths).toEqual(expect.arrayContaining(Object.values(RENAMED)))
    expect(Object.keys(RENAMED).filter((old) => paths.includes(old))).toEqual([])
  })
})

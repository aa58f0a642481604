/** Protects every family against the reference code's own numbers: each output and each intermediate of each fixture. */

import { basename, join } from "node:path"
import { liveSessions } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { checkpointsOf, distance, encodeFixture, fixtureNames, openFixture, PARITY } from "./parity.ts"

/** For intermediates, for which the fixtures state none: that of the loosest outputs. */
const INTERMEDIATE_TOLERANCE = 1e-4

const names = fixtureNames()

describe.runIf(names.length === 0)("parity", () => {
  it("skips: the reference's numbers are not beside this repository", (context) => context.skip())
})

describe.skipIf(names.length === 0).each(names)("%s", (name) => {
  it.each(checkpointsOf(name).map((paths) => [paths.map((path) => basename(path)).join(" and "), paths]))(
    "gives the reference's numbers from %s",
    async (_, paths) => {
      const fixture = await openFixture(name)
      const { outputs, intermediates } = await encodeFixture(fixture, paths)
      const { expected } = fixture
      for (const key of Object.keys(expected.outputs)) {
        const most = await distance(outputs.get(key), join(PARITY, name, `${key}.npy`))
        expect(most, key).toBeLessThanOrEqual(expected.tolerance.max_abs[key])
      }
      for (const key of Object.keys(expected.intermediates)) {
        const most = await distance(intermediates.get(key), join(PARITY, name, "intermediates", `${key}.npy`))
        expect(most, key).toBeLessThanOrEqual(INTERMEDIATE_TOLERANCE)
      }
      expect(liveSessions()).toBe(0)
    },
  )
})

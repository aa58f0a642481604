/** Protects zero-shot scores: a clip is the mean of its views, and probabilities are the softmax of the model's logits. */

import { MemoryFeatures } from "@fourtier/core/train"
import { expect, it } from "vitest"
import type { JointSpace } from "../../src/encoders/encoder.ts"
import { zeroShot } from "../../src/experiment/zero-shot.ts"
import { quarters } from "../deploy/fixtures.ts"

it("scores the mean of a clip's views", async () => {
  const source = new MemoryFeatures("joint", { T: 1, N: 1, D: 2 })
  source.add({ clip: "5f1c", view: 0 }, Float32Array.of(1, 0))
  source.add({ clip: "5f1c", view: 1 }, Float32Array.of(0.5, 3))
  const joint: JointSpace = {
    tower: "clip",
    space: "clip test",
    width: 2,
    encoder: quarters,
    logits: async (clips, texts) =>
      clips.map((clip) => Float32Array.from(texts, (text) => clip[0] * text[0] + clip[1] * text[1])),
  }
  const examples = [{ id: "jump/a", hash: "5f1c", views: [0, 1] }]
  const scores = await zeroShot(joint, { source, examples }, [Float32Array.of(1, 0), Float32Array.of(0, 1)])
  const p = scores.get("jump/a") ?? []
  expect([...scores.keys()]).toEqual(["jump/a"])
  expect(Math.log(p[1] / p[0])).toBeCloseTo(1.5 - 0.75, 3)
  expect(p[0] + p[1]).toBeCloseTo(1, 6)
})

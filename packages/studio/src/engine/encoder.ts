/** The frozen encoder as the page has it: files that the build has written beside it. */

import type { Sampling, Step } from "@fourtier/core/schemas"
import { classificationSchema, modelSchema, samplingSchema, scheduleSchema, stepSchema } from "@fourtier/core/schemas"
import { Session } from "@fourtier/tensor"
import { z } from "zod"
import { DESCRIPTION, type Description, descriptionSchema } from "./description.ts"
import { runtime } from "./device.ts"

const side = z.int().positive()
const trainingSchema = z.strictObject({ ...classificationSchema.shape, ...scheduleSchema.shape })

const encoderSchema = z.object({
  /** Version of fourtier that it comes from. */
  fourtier: z.string(),
  name: z.string(),
  id: z.string(),
  frames: side,
  resolution: z.tuple([side, side]),
  size: z.object({ T: side, H: side, W: side, D: side }),
  rows: z.object({ N: side, D: side }),
  settings: z.object({
    model: modelSchema,
    finetune: trainingSchema,
    linearProbe: trainingSchema,
    views: z.object({
      sampling: samplingSchema,
      train: z.object({ draws: side, steps: z.array(stepSchema) }),
      test: z.object({ clips: side, steps: z.array(stepSchema) }),
    }),
    seed: z.int(),
    falseAlarmRate: z.number(),
  }),
})

export type Encoder = z.infer<typeof encoderSchema>

/** How clips are seen: see `ViewRecipe`. */
export interface Recipes {
  train: { sampling: Sampling; steps: Step[]; draws: number }
  test: { sampling: Sampling; steps: Step[] }
}

const addressOf = (name: string) => new URL(`./encoder/${name}`, self.location.origin + base()).href

/** Folder of the page: workers lie in `assets/` below it. */
function base(): string {
  return self.location.pathname.replace(/(assets\/)?[^/]*$/, "")
}

async function fetchFile(name: string): Promise<Response> {
  const response = await fetch(addressOf(name))
  if (!response.ok) throw new Error(`${addressOf(name)}: ${response.status} ${response.statusText}`)
  return response
}

export async function loadEncoder(): Promise<Encoder> {
  return encoderSchema.parse(await (await fetchFile("encoder.json")).json())
}

export async function loadDescription(): Promise<Description> {
  return descriptionSchema.parse(await (await fetchFile(DESCRIPTION)).json())
}

export async function encoderFile(name: "encoder.onnx" | "frame.onnx" | "map.onnx"): Promise<Uint8Array> {
  return new Uint8Array(await (await fetchFile(name)).arrayBuffer())
}

export function recipesOf({ frames, settings: { views } }: Encoder): Recipes {
  const sampling = { ...views.sampling, frames }
  return {
    train: { sampling, steps: views.train.steps, draws: views.train.draws },
    test: { sampling: { ...sampling, clips: views.test.clips }, steps: views.test.steps },
  }
}

/** The encoder's sessions: of one frame, and from the rows of T frames to a map. */
export async function openSessions({
  frames,
  resolution,
  rows,
  size,
}: Encoder): Promise<{ frame: Session; map: Session }> {
  const types = (input: string, from: readonly number[], output: string, to: readonly number[]) => ({
    inputs: new Map([[input, { shape: from, dtype: "f32" as const }]]),
    outputs: new Map([[output, { shape: to, dtype: "f32" as const }]]),
  })
  const one = types("frames", [1, 1, ...resolution, 3], "rows", [1, rows.N, rows.D])
  const all = types("rows", [1, frames, rows.N, rows.D], "m", [1, size.T, size.H * size.W, size.D])
  // the weights of one frame's graph lie in the file of the whole
  const externalData = [{ path: "encoder.onnx", data: await encoderFile("encoder.onnx") }]
  return {
    frame: await Session.load(await encoderFile("frame.onnx"), one, { ...runtime(), externalData }),
    map: await Session.load(await encoderFile("map.onnx"), all, runtime()),
  }
}

/** Settings of a family's network as frozen visual encoder: the same for every family. */

import { z } from "zod"
import type { VisualFamily } from "../family.ts"
import { precisionSchema } from "../precision.ts"
import { rgbSchema } from "../presets.ts"
import { scaleSchema } from "../scale.ts"
import { CHECKPOINT, checkpointChoice } from "../weights.ts"

const pixels = z.int().positive()

export const familySettings = <K extends string>({
  kind,
  defaultModel,
}: Pick<VisualFamily<K>, "kind" | "defaultModel">) =>
  z.strictObject({
    kind: z.literal(kind).describe("kind of encoder: docs/encoders.md"),
    model: z
      .string()
      .default(defaultModel)
      .describe("an official size, such as B/16, L/14, L/14@336 (docs/encoders.md)"),
    checkpoint: z.string().min(1).describe(CHECKPOINT),
    ...checkpointChoice,
    frames: z.int().positive().nullable().default(null).describe("frames of a clip, T; null: the model's"),
    resolution: z
      .union([pixels, z.tuple([pixels, pixels])])
      .nullable()
      .default(null)
      .describe(
        "pixels; null: the model's; two numbers: height and width of frames that are no squares, where the model takes them (docs/encoders.md)",
      ),
    mean: rgbSchema.nullable().default(null).describe("of RGB on the scale 0 to 1; null: the model's"),
    std: rgbSchema.nullable().default(null).describe("likewise, the standard deviation"),
    sizes: z.record(z.string(), z.json()).default({}).describe("sizes that differ from the model's"),
    scale: scaleSchema,
    precision: precisionSchema,
  })

export type FamilySettings = z.infer<ReturnType<typeof familySettings<string>>>

/**
 * Every kind of frozen visual encoder: the list, the setting `encoder`, and how an encoder is opened. Reading a configuration
 * loads `settings/`; opening an encoder loads `open/`, and with it readers of checkpoints, importers and the hub.
 */

import type { z } from "zod"
import type { VisualEncoder } from "./encoder.ts"
import { FAMILIES } from "./families/index.ts"
import type { Family, VisualFamily } from "./family.ts"
import { defineKind, encoderSchemaOf, openEncoderOf, type VisualEncoderKind } from "./kind.ts"
import { familySettings } from "./settings/family.ts"
import { movenetSettings } from "./settings/movenet.ts"
import { onnxSettings } from "./settings/onnx.ts"

const movenet = defineKind({
  kind: "movenet",
  settings: movenetSettings,
  open: async (settings) => (await import("./open/movenet.ts")).openMovenet(settings),
})

const onnx = defineKind({
  kind: "onnx",
  settings: onnxSettings,
  open: async (settings) => (await import("./open/onnx.ts")).openOnnx(settings),
})

/** The kind of frozen visual encoder that a family of networks is. */
function familyKind<K extends string>(
  family: VisualFamily<K>,
): VisualEncoderKind<ReturnType<typeof familySettings<K>>> {
  return defineKind({
    kind: family.kind,
    settings: familySettings(family),
    open: async (settings) => (await import("./open/family.ts")).openFamily(family, settings),
  })
}

/** The families over pictures or clips as kinds of visual encoder. */
function familyKinds<K extends string>(
  families: readonly Family<VisualFamily<K> | null>[],
): ReturnType<typeof familyKind<K>>[] {
  return families.flatMap(({ visual }) => (visual ? [familyKind(visual)] : []))
}

/** Every kind of visual encoder. */
const KINDS = [movenet, onnx, ...familyKinds(FAMILIES)] as const

/**
 * The setting `encoder`: a discriminated union by `kind`.
 *
 * @example
 * ```ts
 * import { encoderSchema } from "fourtier/encoders"
 *
 * encoderSchema.parse({ kind: "clip", checkpoint: "ViT-B-16.pt" }).precision // "float32"
 * ```
 */
export const encoderSchema = encoderSchemaOf(KINDS)

export type EncoderConfig = z.infer<typeof encoderSchema>

/**
 * Opens the encoder that the settings choose. A missing file is an error at once; weights are read when the graph is asked
 * for.
 *
 * @throws FourtierError when weights or packages are missing, or sizes do not fit together
 *
 * @example
 * ```ts
 * import { encoderSchema, openVisualEncoder } from "fourtier/encoders"
 *
 * const encoder = await openVisualEncoder(encoderSchema.parse({ kind: "vit", checkpoint: "random", frames: 4 }))
 * encoder.size // { T: 4, H: 14, W: 14, D: 768 }
 * ```
 */
export async function openVisualEncoder(config: EncoderConfig): Promise<VisualEncoder> {
  return openEncoderOf(KINDS, config)
}

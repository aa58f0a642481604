/**
 * A kind of frozen visual encoder as one object: the settings that choose it and how it is opened. `catalog.ts` lists every
 * kind. Settings alone load no weights, no importer and no engine: `open` loads what it needs.
 */

import { z } from "zod"
import type { VisualEncoder } from "./encoder.ts"
import type { Discriminable } from "./family.ts"
import type { Precision } from "./precision.ts"

/** Settings of a kind: `kind` tells whose they are. */
export type KindSettings = z.ZodType<{ kind: string; precision: Precision }> & Discriminable

/** What `defineKind` takes. */
export interface KindDefinition<S extends KindSettings> {
  /** The setting `encoder.kind`. */
  readonly kind: string
  readonly settings: S
  /** Opens the encoder in float32. */
  open(settings: z.output<S>): Promise<VisualEncoder>
}

export interface VisualEncoderKind<S extends KindSettings = KindSettings> {
  readonly kind: string
  readonly settings: S
  /** Opens the encoder in the precision set. @throws where the settings are not of this kind */
  open(settings: unknown): Promise<VisualEncoder>
}

/**
 * Makes a kind of its definition.
 *
 * @example
 * ```ts
 * export const onnx = defineKind({
 *   kind: "onnx",
 *   settings: onnxSettings,
 *   open: async (settings) => (await import("./open/onnx.ts")).openOnnx(settings),
 * })
 * ```
 */
export function defineKind<S extends KindSettings>({ kind, settings, open }: KindDefinition<S>): VisualEncoderKind<S> {
  return {
    kind,
    settings,
    async open(given) {
      const parsed = settings.parse(given)
      const { atPrecision } = await import("./open/precision.ts")
      return atPrecision(await open(parsed), parsed.precision)
    },
  }
}

/** One kind or more. */
export type Kinds = readonly [VisualEncoderKind, ...VisualEncoderKind[]]
type SettingsOf<T extends Kinds> = T[number]["settings"]

/** The setting `encoder`: the settings of one of the kinds. */
export function encoderSchemaOf<T extends Kinds>(
  kinds: T,
): z.ZodDiscriminatedUnion<[SettingsOf<T>, ...SettingsOf<T>[]], "kind"> {
  const [first, ...others] = kinds
  return z.discriminatedUnion("kind", [first.settings, ...others.map(({ settings }): SettingsOf<T> => settings)])
}

/** Opens the encoder that settings of one of the kinds choose. */
export async function openEncoderOf(kinds: Kinds, settings: { readonly kind: string }): Promise<VisualEncoder> {
  const found = kinds.find(({ kind }) => kind === settings.kind)
  if (found === undefined) throw new Error(`internal error: no kind of encoder is named ${settings.kind}`)
  return found.open(settings)
}

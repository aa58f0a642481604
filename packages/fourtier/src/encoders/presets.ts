/** Official sizes: the parts of a family's list of models. */

import { FourtierError, nearest } from "@fourtier/tensor"
import { z } from "zod"

/** One number for each of red, green and blue. */
export const rgbSchema = z.tuple([z.number(), z.number(), z.number()])

/** Mean and standard deviation of red, green and blue on the scale 0 to 1. */
export interface Normalisation {
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}

/** An official size of a network. */
export interface Preset {
  /** Keys of a configuration, without those for frames and resolution; the family's schema checks them. */
  readonly dimensions: Readonly<Record<string, unknown>>
  /** Height and width of a frame in pixels. */
  readonly resolution: number
  /** Frames of a clip, T. */
  readonly frames: number
  readonly normalisation: Normalisation
}

/** Those of ImageNet. */
export const IMAGENET: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
/** From 0..1 to −1..1. */
export const HALF: Normalisation = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }

/** Width, depth and heads. */
export type TransformerSize = readonly [width: number, depth: number, heads: number]
export const TINY: TransformerSize = [192, 12, 3]
export const SMALL: TransformerSize = [384, 12, 6]
export const MEDIUM: TransformerSize = [512, 12, 8]
export const BASE: TransformerSize = [768, 12, 12]
export const LARGE: TransformerSize = [1024, 24, 16]
export const HUGE: TransformerSize = [1280, 32, 16]
export const GIANT: TransformerSize = [1408, 40, 16]

/**
 * The preset named `model`.
 *
 * @param setting where the name comes from, for the error: "encoder.model"
 * @throws FourtierError that lists the names of the kind
 */
export function presetOf(
  { kind, models }: { readonly kind: string; readonly models: Readonly<Record<string, Preset>> },
  model: string,
  setting = "encoder.model",
): Preset {
  if (Object.hasOwn(models, model)) return models[model]
  const hint = nearest(model, Object.keys(models))
  throw new FourtierError({
    where: setting,
    what: `no ${kind} of this size`,
    expected: Object.keys(models).join(", "),
    found: model,
    ...(hint === undefined ? {} : { fix: `did you mean ${hint}?` }),
  })
}

/** Every family of networks: its configuration, its official names and its model function. */

import { z } from "zod"
import { bertName, videoclipGraph, videoclipSchema } from "./bert.ts"
import { clipGraph, clipName, clipSchema } from "./clip.ts"
import type { EncoderGraph, Inputs } from "./graph.ts"
import { ilaGraph, ilaSchema, ilaSsv2Schema } from "./ila.ts"
import { mtvGraph, mtvName, mtvSchema } from "./mtv.ts"
import { uniformerv2Graph, uniformerv2Name, uniformerv2Schema } from "./uniformerv2.ts"
import { videomaeGraph, videomaeName, videomaeSchema } from "./videomae.ts"
import { vitGraph, vitName, vitSchema } from "./vit.ts"
import { Net } from "./weight-binder.ts"
import { xclipGraph, xclipName, xclipSchema } from "./xclip.ts"

/** Sizes and switches of a network: the keys of docs/encoders.md. Keys of other purposes are ignored. */
export const dimensionsSchema = z.discriminatedUnion("encoder", [
  clipSchema,
  vitSchema,
  videomaeSchema,
  uniformerv2Schema,
  xclipSchema,
  ilaSchema,
  ilaSsv2Schema,
  mtvSchema,
  videoclipSchema,
])

export type Dimensions = z.infer<typeof dimensionsSchema>

/** Names of a network's inputs, the needed one first. */
export function inputNames({ encoder }: Dimensions): string[] {
  switch (encoder) {
    case "clip":
    case "xclip":
    case "ila":
      return ["input", "text_tokens"]
    case "videoclip_bert":
      return ["text_tokens", "text_mask", "video_features", "video_mask"]
    default:
      return ["input"]
  }
}

/** The official name of a file's key, or null for entries that are no weights. */
export function officialName({ encoder }: Dimensions, key: string, keys: ReadonlySet<string>): string | null {
  switch (encoder) {
    case "clip":
      return clipName(key, keys)
    case "vit_timm":
    case "deit3_timm":
      return vitName(key)
    case "videomae":
      return videomaeName(key)
    case "uniformerv2":
    case "uniformerv2_k400":
    case "uniformerv2_ssv2":
      return uniformerv2Name(key)
    case "xclip":
    case "ila":
    case "ila_ssv2":
      return xclipName(key)
    case "mtv":
      return mtvName(key)
    case "videoclip_bert":
      return bertName(key)
  }
}

/** A network over `names`, the official names that a file holds; null: over any. */
export function netFor({ encoder }: Dimensions, names: ReadonlySet<string> | null): Net {
  return Net.over(names, encoder === "mtv" ? "/" : ".")
}

/** Everything that the family computes from the inputs given. */
export function encoderGraph(net: Net, config: Dimensions, inputs: Inputs): EncoderGraph {
  switch (config.encoder) {
    case "clip":
      return clipGraph(net, config, inputs)
    case "vit_timm":
    case "deit3_timm":
      return vitGraph(net, config, inputs)
    case "videomae":
      return videomaeGraph(net, config, inputs)
    case "uniformerv2":
    case "uniformerv2_k400":
    case "uniformerv2_ssv2":
      return uniformerv2Graph(net, config, inputs)
    case "xclip":
      return xclipGraph(net, config, inputs)
    case "ila":
    case "ila_ssv2":
      return ilaGraph(net, config, inputs)
    case "mtv":
      return mtvGraph(net, config, inputs)
    case "videoclip_bert":
      return videoclipGraph(net, config, inputs)
  }
}

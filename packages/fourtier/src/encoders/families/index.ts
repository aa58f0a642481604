/** Every family of networks. A new one is a file beside this one and a line in the list. */

import { z } from "zod"
import type { Family, NetworkSchema } from "../family.ts"
import { clip } from "./clip.ts"
import { ila } from "./ila.ts"
import { internvideo2 } from "./internvideo2.ts"
import { mtv } from "./mtv.ts"
import { peCore } from "./pe-core.ts"
import { uniformerv2 } from "./uniformerv2.ts"
import { videoclip } from "./videoclip.ts"
import { videomae } from "./videomae.ts"
import { vit } from "./vit.ts"
import { vjepa2 } from "./vjepa2.ts"
import { vjepa21 } from "./vjepa21.ts"
import { xclip } from "./xclip.ts"

export const FAMILIES = [
  clip,
  vit,
  videomae,
  uniformerv2,
  xclip,
  ila,
  mtv,
  videoclip,
  internvideo2,
  vjepa2,
  vjepa21,
  peCore,
] as const

/** From a configuration, the keys of docs/encoders.md, to its network: `encoder` tells the family. */
export function networkSchemaOf([first, ...others]: readonly [Family, ...Family[]]): NetworkSchema {
  return z.discriminatedUnion("encoder", [first.schema, ...others.map(({ schema }) => schema)])
}

/** From a configuration of any family to its network. Keys that no family names are ignored. */
export const networkSchema = networkSchemaOf(FAMILIES)

/** Six places: room, street, beach, gym, stage, forest, each with its own light, furniture and times of day. */

import type { Rng } from "@fourtier/tensor"
import { gym, room, stage } from "./scenes-indoor.ts"
import { beach, forest, street } from "./scenes-outdoor.ts"
import type { Scene } from "./world.ts"

export const sceneNames = ["room", "street", "beach", "gym", "stage", "forest"] as const
export type SceneName = (typeof sceneNames)[number]

export function buildScene(name: SceneName, rng: Rng): Scene {
  return { room, street, beach, gym, stage, forest }[name](rng)
}

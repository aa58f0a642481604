/** What the page offers to the test. */

import { recogniseMadeUpClip, type TrainedHead, trainSmallHead } from "./small-head.ts"

export interface PageTasks {
  train(): Promise<TrainedHead>
  /** Fetches the bundle's files from the page's own address. */
  recognise(): Promise<number[]>
}

const tasks: PageTasks = {
  train: trainSmallHead,
  async recognise() {
    const model = new Uint8Array(await (await fetch("/bundle/model.onnx")).arrayBuffer())
    return recogniseMadeUpClip(model, await (await fetch("/bundle/bundle.json")).json())
  },
}

Object.assign(globalThis, { tasks })

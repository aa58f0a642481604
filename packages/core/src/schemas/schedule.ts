/** Settings of one training stage (paper Tables A2 and A3). */

import { z } from "zod"

export const scheduleSchema = z.strictObject({
  epochs: z.number().positive().describe("passes over the training clips"),
  minUpdates: z.int().min(0).default(0).describe("updates at least, however few the clips"),
  batch: z.int().min(1).describe("clips an update"),
  microBatch: z.int().min(1).nullable().default(null).describe("clips in memory at once; null: the whole batch"),
  learningRate: z.number().positive().describe("peak, after the warm-up"),
  weightDecay: z.number().min(0).default(0.05).describe("of AdamW; not on norms and biases"),
  beta1: z.number().min(0).lt(1).default(0.9).describe("memory of AdamW's first moment"),
  beta2: z.number().min(0).lt(1).default(0.999).describe("memory of AdamW's second moment"),
  warmupEpochs: z.number().min(0).default(5).describe("epochs in which the learning rate rises"),
  clipNorm: z.number().positive().nullable().default(null).describe("largest global gradient norm"),
  patience: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe("validations without a better result before training stops; null: never early"),
  validateEvery: z.int().min(1).default(1).describe("epochs between two validations"),
  checkpointSeconds: z.number().min(0).default(30).describe("least time between two checkpoints"),
})

export type ScheduleConfig = z.infer<typeof scheduleSchema>

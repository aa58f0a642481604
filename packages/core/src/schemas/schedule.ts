/** Settings of one training stage (paper Tables A2 and A3). */

import { z } from "zod"

export const scheduleSchema = z.strictObject({
  epochs: z.number().min(0).describe("passes over the training clips"),
  minUpdates: z.int().min(0).default(0).describe("smallest number of updates, however few the clips"),
  batch: z.int().min(1).describe("clips per update"),
  microBatch: z.int().min(1).nullable().default(null).describe("clips in memory at a time; null: the whole batch"),
  learningRate: z.number().positive().describe("peak learning rate, reached after the warm-up"),
  weightDecay: z.number().min(0).default(0.05).describe("weight decay of AdamW; not applied to norms and biases"),
  beta1: z.number().min(0).lt(1).default(0.9).describe("decay rate of AdamW's first moment"),
  beta2: z.number().min(0).lt(1).default(0.999).describe("decay rate of AdamW's second moment"),
  warmupEpochs: z.number().min(0).default(5).describe("epochs over which the learning rate rises to its peak"),
  clipNorm: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe("gradients are scaled down to this global norm where it is larger; null: no clipping"),
  patience: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe("validations without improvement after which training stops; null: no early stopping"),
  validateEvery: z.int().min(1).default(1).describe("epochs between validations"),
  checkpointSeconds: z.number().min(0).default(30).describe("shortest time between checkpoints, in seconds"),
})

export type ScheduleConfig = z.infer<typeof scheduleSchema>

/** The camera: small pictures are enough, the encoder's are smaller still. */

/** @throws Error where the browser or the person does not allow it */
export async function openCamera(): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new Error("this address may not use the camera: https or localhost is needed")
  return navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
  })
}

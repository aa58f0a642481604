/** The camera: small pictures are enough, the encoder's are smaller still. */

export function openCamera(): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new Error("this address may not use the camera: https or localhost is needed")
  return navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
  })
}

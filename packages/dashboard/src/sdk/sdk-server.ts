export class SdkServer {}

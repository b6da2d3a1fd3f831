// For protocols, which do not import core.
export { networkOf } from '@sluice/core';

// SPDX-License-Identifier: Apache-2.0
/** Demands and probes of DRM devices: displays and GPUs. */
package org.dmabuf.device.drm;

// SPDX-License-Identifier: Apache-2.0
/** Demands of V4L2 devices, and probes that ask them whether they take the memory of a heap. */
package org.dmabuf.device.v4l2;

// SPDX-License-Identifier: Apache-2.0
/** Sources of the demands of devices: configuration files, and what the kernel shows of a device in sysfs. */
package org.dmabuf.device.constraints;

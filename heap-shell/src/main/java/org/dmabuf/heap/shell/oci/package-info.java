// SPDX-License-Identifier: Apache-2.0
/**
 * Change of a container's settings, so that the container runtime passes the ioctls of heaps to a listener. The formats
 * are those of the OCI runtime specification, and of the seccomp profiles that Docker and Podman read.
 */
package org.dmabuf.heap.shell.oci;

// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Whether descriptors are real dma-bufs, which devices import. The component property {@code heap.dmabuf}, see {@link
 * org.dmabuf.heap.HeapProperties#DMABUF}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapDmabuf {
    /** {@return the value of {@code heap.dmabuf}} */
    boolean value() default true;
}

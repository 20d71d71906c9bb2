// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Whether the CPU can map buffers. The component property {@code heap.mappable}, see {@link
 * org.dmabuf.heap.HeapProperties#MAPPABLE}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapMappable {
    /** {@return the value of {@code heap.mappable}} */
    boolean value() default true;
}

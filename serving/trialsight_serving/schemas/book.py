"""What the defect book says and takes."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from trialsight_serving.store.review.class_images import ClassImage, ImageKind
from trialsight_serving.store.review.classes import DefectClass


class ClassImageOut(BaseModel):
    """`outlines`: SVG path data in thousandths of the image's longer side. `frame_id`: where it came from, null if
    it was uploaded."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    kind: ImageKind
    width_px: int
    height_px: int
    outlines: list[str]
    frame_id: str | None
    note: str
    added_by: str
    added_at: datetime
    image_url: str

    @classmethod
    def of(cls, image: ClassImage) -> "ClassImageOut":
        return cls.model_validate({**vars(image), "image_url": f"/v1/defect-classes/images/{image.id}"})


class DefectClassOut(BaseModel):
    """`number`: the key 1 to 9 that gives the class in the viewer."""

    name: str
    name_en: str
    name_zh: str
    number: int | None
    description_en: str
    description_zh: str
    images: list[ClassImageOut]

    @classmethod
    def of(cls, one: DefectClass, images: list[ClassImage]) -> "DefectClassOut":
        shown = [ClassImageOut.of(image) for image in images if image.defect_class == one.name]
        return cls.model_validate({**vars(one), "images": shown})


class DefectClassIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name_en": "Scratch",
                    "name_zh": "划痕",
                    "number": 1,
                    "description_en": "A line that a fingernail feels.",
                    "description_zh": "指甲可感觉到的线状痕迹。",
                }
            ]
        },
    )
    name_en: str = Field(min_length=1, max_length=100)
    name_zh: str = Field(min_length=1, max_length=100)
    number: int | None = Field(default=None, ge=1, le=9)
    description_en: str = Field(default="", max_length=4000)
    description_zh: str = Field(default="", max_length=4000)


class FromFrameIn(BaseModel):
    """A frame's picture, with the outlines of what was found in it; it stays when the frame is deleted."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"frame_id": "0b8f2d3c9f6e4a61b3c5f1a2d4e6f708", "kind": "example"}]},
    )
    frame_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    kind: ImageKind
    note: str = Field(default="", max_length=500)

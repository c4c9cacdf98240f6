"""COCO's categories, and the lists they were chosen from.

91 categories were selected, 80 of them are in the released files, which keep the 91 numbers: ids run 1..90
with gaps. 272 candidates came from children and from lists of visible things; they stand in descending
order of the authors' votes. 40 scene categories served to search for photographs.

Source: section 2.6 and appendix B of the thesis "Detecting Common Objects in Context"; ids and
supercategories of the released annotation files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from amidst.coco.records import Category

# An asterisk marks the eleven categories that the release of 2014 left out.
_SELECTED = """
person: 1 person
vehicle: 2 bicycle, 3 car, 4 motorcycle, 5 airplane, 6 bus, 7 train, 8 truck, 9 boat
outdoor: 10 traffic light, 11 fire hydrant, 12 street sign*, 13 stop sign, 14 parking meter, 15 bench
animal: 16 bird, 17 cat, 18 dog, 19 horse, 20 sheep, 21 cow, 22 elephant, 23 bear, 24 zebra, 25 giraffe
accessory: 26 hat*, 27 backpack, 28 umbrella, 29 shoe*, 30 eye glasses*, 31 handbag, 32 tie, 33 suitcase
sports: 34 frisbee, 35 skis, 36 snowboard, 37 sports ball, 38 kite, 39 baseball bat, 40 baseball glove, 41
    skateboard, 42 surfboard, 43 tennis racket
kitchen: 44 bottle, 45 plate*, 46 wine glass, 47 cup, 48 fork, 49 knife, 50 spoon, 51 bowl
food: 52 banana, 53 apple, 54 sandwich, 55 orange, 56 broccoli, 57 carrot, 58 hot dog, 59 pizza, 60 donut,
    61 cake
furniture: 62 chair, 63 couch, 64 potted plant, 65 bed, 66 mirror*, 67 dining table, 68 window*, 69 desk*,
    70 toilet, 71 door*
electronic: 72 tv, 73 laptop, 74 mouse, 75 remote, 76 keyboard, 77 cell phone
appliance: 78 microwave, 79 oven, 80 toaster, 81 sink, 82 refrigerator, 83 blender*
indoor: 84 book, 85 clock, 86 vase, 87 scissors, 88 teddy bear, 89 hair drier, 90 toothbrush, 91 hair
    brush*
"""

_CANDIDATES = """
person, bicycle, car, motorcycle, bird, cat, dog, horse, sheep, bottle, chair, couch, potted plant, tv,
cow, airplane, hat*, license plate, bed, laptop, fridge, microwave, sink, oven, toaster, bus, train,
mirror*, dining table, elephant, banana, bread, toilet, book, boat, plate*, cell phone, mouse, remote,
clock, face, hand, apple, keyboard, backpack, steering wheel, wine glass, chicken, zebra, shoe*, eye,
mouth, scissors, truck, traffic light, eyeglasses*, cup, blender*, hair drier, wheel, street sign*,
umbrella, door*, fire hydrant, bowl, teapot, fork, knife, spoon, bear, headlights, window*, desk*,
computer, refrigerator, pizza, squirrel, duck, frisbee, guitar, nose, teddy bear, tie, stop sign,
surfboard, sandwich, pen/pencil, kite, orange, toothbrush, printer, pans, head, sports ball, broccoli,
suitcase, carrot, chandelier, parking meter, fish, handbag, hot dog, stapler, basketball hoop, donut,
vase, baseball bat, baseball glove, giraffe, jacket, skis, snowboard, table lamp, egg, door handle, power
outlet, hair, tiger, table, coffee table, skateboard, helicopter, tomato, tree, bunny, pillow, tennis
racket, cake, feet, bench, chopping board, washer, lion, monkey, hair brush*, light switch, arms, legs,
house, cheese, goat, magazine, key, picture frame, cupcake, fan (ceil/floor), frogs, rabbit, owl, scarf,
ears, home phone, pig, strawberries, pumpkin, van, kangaroo, rhinoceros, sailboat, deer, playing cards,
towel, hyppo, can, dollar bill, doll, soup, meat, window, muffins, tire, necklace, tablet, corn, ladder,
pineapple, candle, desktop, carpet, cookie, toy cars, bracelet, bat, balloon, gloves, milk, pants,
wheelchair, building, bacon, box, platypus, pancake, cabinet, whale, dryer, torso, lizard, shirt, shorts,
pasta, grapes, shark, swan, fingers, towel, side table, gate, beans, flip flops, moon, road/street,
fountain, fax machine, bat, hot air balloon, cereal, seahorse, rocket, cabinets, basketball, telephone,
movie (disc), football, goose, long sleeve shirt, short sleeve shirt, raft, rooster, copier, radio,
fences, goal net, toys, engine, soccer ball, field goal posts, socks, tennis net, seats, elbows, aardvark,
dinosaur, unicycle, honey, legos, fly, roof, baseball, mat, ipad, iphone, hoop, hen, back, table cloth,
soccer nets, turkey, pajamas, underpants, goldfish, robot, crusher, animal crackers, basketball court,
horn, firefly, armpits, nectar, super hero costume, jetpack, robots
"""

_INDOOR = """
library, church, office, restaurant, kitchen, living room, bathroom, factory, campus, bedroom, child's
room, dining room, auditorium, shop, home, hotel, classroom, cafeteria, hospital room, food court
"""

_OUTDOOR = """
village, valley, street, park, beach, river, market, harbor, yard, parking lot, lighthouse, railway,
playground, swimming pool, forest, gas station, garden, farm, mountain, plaza
"""

_PASCAL = """
aeroplane: airplane, bicycle: bicycle, bird: bird, boat: boat, bottle: bottle, bus: bus, car: car, cat: cat,
chair: chair, cow: cow, diningtable: dining table, dog: dog, horse: horse, motorbike: motorcycle,
person: person, pottedplant: potted plant, sheep: sheep, sofa: couch, train: train, tvmonitor: tv
"""


@dataclass(frozen=True, slots=True)
class SelectedCategory:
    """One of the 91. omitted: not in the released files."""

    id: int
    name: str
    supercategory: str
    omitted: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the 272, by rank (1 has the most votes). Three names occur twice: "towel", "bat", "window".

    category_id: the id it was selected under, or None.
    """

    rank: int
    name: str
    category_id: int | None


@cache
def selected_categories() -> tuple[SelectedCategory, ...]:
    """All 91 in order of id."""
    found = []
    for line in _SELECTED.strip().replace("\n    ", " ").split("\n"):
        supercategory, _, members = line.partition(": ")
        for member in members.split(", "):
            number, _, name = member.partition(" ")
            found.append(SelectedCategory(int(number), name.rstrip("*"), supercategory, name.endswith("*")))
    return tuple(found)


@cache
def released_categories() -> tuple[Category, ...]:
    """The 80 of the released files, in order of id; their class indices are 0..79."""
    return tuple(Category(c.id, c.name, c.supercategory) for c in selected_categories() if not c.omitted)


@cache
def supercategories() -> tuple[str, ...]:
    """The 12 names that the released files use."""
    return tuple(dict.fromkeys(category.supercategory for category in selected_categories()))


@cache
def icon_groups() -> dict[str, tuple[SelectedCategory, ...]]:
    """The 11 groups that workers were shown: the supercategories, with persons among their accessories.

    The thesis speaks of 11 groups but its figure of them is missing; joining these two is the only natural
    reading that gives 11.
    """
    groups: dict[str, tuple[SelectedCategory, ...]] = {}
    for category in selected_categories():
        name = category.supercategory
        group = "person and accessory" if name in ("person", "accessory") else name
        groups[group] = (*groups.get(group, ()), category)
    return groups


@cache
def pascal_categories() -> dict[str, Category]:
    """COCO's category of each of the 20 of PASCAL VOC, by the name used there."""
    by_name = {category.name: category for category in released_categories()}
    pairs = (pair.split(": ") for pair in " ".join(_PASCAL.split()).split(", "))
    return {theirs: by_name[ours] for theirs, ours in pairs}


@cache
def candidate_categories() -> tuple[Candidate, ...]:
    """The 272 candidates in descending order of votes."""
    # Names that stand in two forms; "window" is a candidate twice and was selected (then omitted) once.
    ids = {category.name: category.id for category in selected_categories()}
    ids["eyeglasses"] = ids.pop("eye glasses")
    omitted = {category.id for category in selected_categories() if category.omitted}
    found = []
    for rank, text in enumerate(" ".join(_CANDIDATES.split()).split(", "), 1):
        name = text.rstrip("*")
        category_id = ids.get(name)
        if (category_id in omitted) != text.endswith("*"):
            category_id = None
        found.append(Candidate(rank, name, category_id))
    return tuple(found)


@cache
def scene_categories() -> dict[str, tuple[str, ...]]:
    """40 scenes: 20 "indoor", 20 "outdoor"."""
    return {
        "indoor": tuple(" ".join(_INDOOR.split()).split(", ")),
        "outdoor": tuple(" ".join(_OUTDOOR.split()).split(", ")),
    }

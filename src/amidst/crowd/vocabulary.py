"""What workers are shown of COCO's categories: icons, and a line on what counts.

Icons are symbols of the page's sprite (apps/server/static/icons.svg). A category gets one by its name alone,
in whatever campaign. The lines are ours: the thesis names the categories and leaves their borders to the
workers; where a word has two meanings or a neighbour close by, the line says on which side a thing is.
"""

from __future__ import annotations

from functools import cache

from amidst.coco.categories import icon_groups, selected_categories

_DEFINITIONS = """
person: Anyone: a body, a face, a part such as a hand. No statues, pictures or dolls.
bicycle: Two wheels and pedals; also tandems and parked frames with wheels.
car: A passenger car, taxi, jeep or van for people. No bus, no lorry.
motorcycle: With an engine: motorbikes, scooters, mopeds.
airplane: Any aeroplane, flying or on the ground; also gliders and models that fly.
bus: A large vehicle for many passengers; also double-deckers and trolleybuses.
train: On rails: trains, trams, subways, single wagons and engines.
truck: For goods or work: lorries, pick-ups, fire engines, tractors with trailers.
boat: On or from the water: ships, canoes, sailing boats, rafts with a hull.
traffic light: Signals for vehicles or for people on foot, lit or not.
fire hydrant: The post in the street from which firemen take water.
street sign: A sign with the name of a street or directions. No stop sign.
stop sign: The red octagon that says stop, seen from the front or the back.
parking meter: The post or machine that takes money for parking.
bench: A long seat for several people, mostly outdoors. No couch, no single chair.
bird: Any bird, of any size, flying or not. No toys.
cat: A domestic cat.
dog: A domestic dog.
horse: Horses and ponies; also with a rider or a carriage. No zebra.
sheep: Sheep, rams and lambs. No goats.
cow: Cows, bulls, calves and oxen.
elephant: Any elephant.
bear: Brown, black, polar and other bears. No teddy bear.
zebra: Any zebra.
giraffe: Any giraffe.
hat: Worn on the head or lying: hats, caps, helmets.
backpack: A bag with straps for both shoulders, worn or standing.
umbrella: Open or closed, against rain or sun.
shoe: Shoes, boots, sandals, worn or not.
eye glasses: Glasses, sunglasses, goggles, worn or not.
handbag: A bag carried in the hand or over one shoulder.
tie: A necktie or bow tie.
suitcase: A case or wheeled bag for travel; also briefcases.
frisbee: A flying disc.
skis: A ski or a pair of them, worn or not.
snowboard: One board for both feet on snow.
sports ball: Any ball of any sport.
kite: A kite on a line; also the kite of a kite surfer.
baseball bat: The bat for baseball or softball.
baseball glove: The leather glove that catches the ball.
skateboard: A board on small wheels.
surfboard: A board for surfing or paddling, in the water or carried.
tennis racket: A racket for tennis or a like game.
bottle: With a narrow neck: for water, wine, soap, medicine.
plate: A flat dish, empty or with food on it.
wine glass: A glass with a stem.
cup: Cups, mugs and tumblers, of any material. No glass with a stem.
fork: A fork to eat with or to serve.
knife: A knife to eat with or to cook with.
spoon: A spoon to eat with, to stir or to serve.
bowl: A deep round dish, empty or filled.
banana: Bananas, whole, peeled or sliced; a bunch counts.
apple: Apples, whole or cut.
sandwich: Something between two pieces of bread; also burgers and wraps. No hot dog.
orange: Oranges, mandarins and clementines, whole or cut.
broccoli: Broccoli, raw or cooked.
carrot: Carrots, whole or cut.
hot dog: A sausage in a bun.
pizza: A pizza, whole or a slice.
donut: A ring or ball of sweet fried dough.
cake: Cakes, cupcakes, tarts, whole or a piece.
chair: A seat for one person, with a back; also armchairs and stools.
couch: A soft seat for several people.
potted plant: A plant in a pot or box.
bed: A bed, made or not; also bunks and cots.
mirror: A mirror on a wall, a piece of furniture or a car.
dining table: A table at which people eat; also in a restaurant or a garden.
window: A window of a building, from inside or outside.
desk: A table at which people write or work.
toilet: The seat or bowl of a toilet; also urinals.
door: A door of a room or a building, open or shut.
tv: A television set or a computer's screen.
laptop: A computer with its screen and keyboard in one.
mouse: A computer's mouse. No animal.
remote: A remote control, also of a game console.
keyboard: A computer's keyboard. No piano; not the keys of a laptop.
cell phone: A mobile phone, whatever its kind.
microwave: A microwave oven.
oven: An oven or a stove with one.
toaster: A device that toasts bread.
sink: A basin with a tap: in kitchen, bath or workshop.
refrigerator: A fridge or freezer.
blender: A kitchen machine that mixes in a jug.
book: Books, magazines, notebooks; single ones or on shelves.
clock: A clock on a wall, a tower, a desk. No wrist watch.
vase: A vessel for flowers, empty or not.
scissors: Scissors, open or closed.
teddy bear: A stuffed bear; also other stuffed animals.
hair drier: A device that blows hot air on hair.
toothbrush: A brush for teeth, with or without a motor.
hair brush: A brush or comb for hair.
"""


def icon_of(category: str) -> str:
    """The symbol of one of the 91 by its name, "" for any other."""
    name = category.strip().casefold()
    return name.replace(" ", "-") if name in _definitions() else ""


def group_icon(supercategory: str) -> str:
    """The symbol of one of the 11 groups, "" for any other."""
    return f"group-{supercategory.replace(' ', '-')}" if supercategory in icon_groups() else ""


def icons() -> frozenset[str]:
    """Every symbol of the sprite."""
    symbols = {icon_of(category.name) for category in selected_categories()}
    return frozenset(symbols | {group_icon(name) for name in icon_groups()})


def definition_of(category: str) -> str:
    """The line on one of the 91; "" for any other name."""
    return _definitions().get(category, "")


@cache
def _definitions() -> dict[str, str]:
    pairs = (line.partition(": ") for line in _DEFINITIONS.strip().split("\n"))
    return {name: text for name, _, text in pairs}
